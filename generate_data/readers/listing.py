"""The list of images that a reader finds: their classes, splits and problems."""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from generate_data.errors import DataError, escaped
from generate_data.folder_contents import PassedOver, contents_of
from generate_data.image_types import DATASET_TYPES
from generate_data.images.face_box import Box

Class = TypeVar("Class")


@dataclasses.dataclass(frozen=True, slots=True)
class ListedImage:
    """One image in the source folder.

    Args:
        path: relative to the root, with forward slashes.
        split: train, val or test; "" where the source has no splits.
        name: its class name; None for a label that is skipped.
        source_label: the label in the source.
        votes: FER+ votes such as "4;0;0;1;3;2;0;0;0;0"; "" without.
        person: who is in the image; "" if unknown.
        box: the face in the image; None: the whole image.
    """

    path: str
    split: str
    name: str | None
    source_label: str
    votes: str = ""
    person: str = ""
    box: Box | None = None


@dataclasses.dataclass
class Listing:
    """All images of a source, sorted by path.

    Args:
        root: the folder, absolute.
        source: where the labels come from: the name of a dataset or of a list file.
        form: the layout of the dataset, for the summary.
        images: the images with a label, including those whose label is skipped.
        class_names: in the order of `labels.CLASS_ORDER`.
        skipped: the number of images with each skipped label.
        problems: the affected files for each kind of problem; they are not in `images`.
        warnings: facts that the user should know; no action is required.
        passed_over: files and folders that are not read.
        unpacked_from: the user's files, if the images are copies out of them; root is then a folder
            for unfinished files.
        unpacked_to: the name that this folder gets in the dataset's folder.
    """

    root: Path
    source: str
    form: str
    images: list[ListedImage] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = ()
    skipped: Counter[str] = dataclasses.field(default_factory=Counter)
    problems: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)
    passed_over: PassedOver = dataclasses.field(default_factory=PassedOver)
    unpacked_from: Path | None = None
    unpacked_to: str = ""

    @property
    def source_path(self) -> Path:
        """What the user gave."""
        return self.unpacked_from or self.root

    def add_problem(self, kind: str, about: str) -> None:
        """Records a problem with one file; `kind` follows a count: "images without a label"."""
        self.problems.setdefault(kind, []).append(about)

    def bad_rows(self) -> list[str]:
        """Returns one line of text for each problem."""
        return [
            f"{escaped(about)} ({kind})" for kind, cases in self.problems.items() for about in cases
        ]

    def check(self, skip: bool) -> None:
        """Raises DataError about the problems, or if there is no image to use.

        Args:
            skip: ignore the problems.
        """
        self._drop_unwritable()
        if self.problems and not skip:
            (kind, cases), *others = self.problems.items()
            rest = "".join(f", also {len(more)} {other}" for other, more in others)
            problem = f"{len(cases)} {kind}, the first: {cases[0]}{rest}"
            raise DataError(
                self.source_path, problem, "fix them, or drop them with --skip-bad-rows"
            )
        if not any(image.name for image in self.images):
            left = [f"{count} {name}" for name, count in self.skipped.items()]
            left += [f"{len(cases)} {kind}" for kind, cases in self.problems.items()]
            left += [f"{len(paths)} {kind}" for kind, paths in self.passed_over.paths.items()]
            found = f", only {', '.join(left)}" if left else ""
            raise DataError(
                self.source_path,
                f"no image to use in it ({self.form}){found}, "
                f"expected files ending in {', '.join(DATASET_TYPES)}",
                "give another folder, or download the dataset again",
            )

    def _drop_unwritable(self) -> None:
        """Drops images that the manifest cannot store, because of their file name."""
        good = [image for image in self.images if is_storable(image.path)]
        for image in self.images if len(good) < len(self.images) else ():
            if not is_storable(image.path):
                kind = "images whose name is not UTF-8 or contains control characters"
                self.add_problem(kind, escaped(image.path))
        self.images = good


def is_storable(name: str) -> bool:
    """Returns whether the manifest can store a name: it is UTF-8, without control characters."""
    return escaped(name) == name


def image_names(folder: Path, passed_over: PassedOver) -> list[str]:
    """Returns the names of the image files in a folder, sorted."""
    contents = contents_of(folder, passed_over)
    for name in contents.folders:
        passed_over.add("folders inside a folder of images are not read", folder / name)
    return list(contents.images)


def file_names(folder: Path) -> list[str]:
    """Returns the names of all entries of a folder.

    Raises:
        DataError: the folder is missing or cannot be read.
    """
    try:
        return os.listdir(folder)
    except OSError as error:
        problem = f"cannot read the folder ({error.strerror})"
        raise DataError(folder, problem, "check its name and permissions") from None


def subfolders(folder: Path) -> dict[str, Path]:
    """Returns the visible folders in a folder, sorted, by their names in lower case."""
    names = sorted(name for name in file_names(folder) if name[0] != ".")
    return {name.lower(): folder / name for name in names if (folder / name).is_dir()}


def list_class_folders(
    listing: Listing,
    splits_folder: Path,
    splits: Mapping[str, str],
    class_of: Callable[[str], Class | None],
    expected: str,
) -> list[tuple[str, str, Class, str]]:
    """Lists the images of a tree of split folders that contain class folders.

    Args:
        listing: its root is the folder that paths are relative to; what is not read is recorded.
        splits_folder: the folder with the split folders, root or below it; other folders in it are
            not read.
        splits: the split for each name of such a folder, in lower case.
        class_of: returns the class for the name of a class folder, or None.
        expected: the problem with such a name and the names expected, for the error.

    Returns:
        (path, split, class, the class folder's name) of each image.

    Raises:
        DataError: a folder in a split folder is not a class.
    """
    found = []
    for part in contents_of(splits_folder, PassedOver()).folders:
        split = splits.get(part.lower())
        if split is None:
            kind = f"folders are not read (their name is none of {', '.join(splits)})"
            listing.passed_over.add(kind, splits_folder / part)
            continue
        contents = contents_of(splits_folder / part, listing.passed_over)
        for name in contents.images:
            listing.add_problem("images outside any class folder", str(splits_folder / part / name))
        for folder in (splits_folder / part / name for name in contents.folders):
            label = class_of(folder.name)
            if label is None:
                raise DataError(folder, expected, "rename or move it")
            base = folder.relative_to(listing.root).as_posix()
            found += [
                (f"{base}/{name}", split, label, folder.name)
                for name in image_names(folder, listing.passed_over)
            ]
    return found


def existing_root(source: str | Path) -> Path:
    """Returns the absolute path of a source folder.

    Raises:
        DataError: the folder is missing, or is a file.
    """
    root = Path(os.path.abspath(source))
    if not root.is_dir():
        state = "a file, not a folder" if root.exists() else "no such folder"
        raise DataError(root, state, "give the folder that contains the images")
    if not is_storable(str(root)):
        problem = (
            "the name of the folder is not UTF-8 or contains control characters, so the manifest "
            "cannot store it"
        )
        raise DataError(root, problem, "rename it")
    return root
