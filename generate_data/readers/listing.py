"""The list of images that a reader finds: their classes, splits and problems."""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from generate_data.errors import DataError
from generate_data.readers.class_folders import IMAGE_TYPES

TYPES = (*IMAGE_TYPES, ".tif", ".tiff")  # JAFFE and AffectNet have TIFF files
Class = TypeVar("Class")


@dataclasses.dataclass(frozen=True, slots=True)
class ListedImage:
    """One image in the source folder.

    Args:
        path: relative to the root, with forward slashes.
        split: train, val or test; "" where the source has no splits.
        name: its class name; None for a label that is skipped.
        source_label: the label in the source.
    """

    path: str
    split: str
    name: str | None
    source_label: str


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
    """

    root: Path
    source: str
    form: str
    images: list[ListedImage] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = ()
    skipped: Counter[str] = dataclasses.field(default_factory=Counter)
    problems: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def add_problem(self, kind: str, about: str) -> None:
        """Records a problem with one file; `kind` follows a count: "images without a label"."""
        self.problems.setdefault(kind, []).append(about)

    def bad_rows(self) -> list[str]:
        """Returns one line of text for each problem."""
        return [f"{about} ({kind})" for kind, cases in self.problems.items() for about in cases]

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
            raise DataError(self.root, problem, "fix them, or drop them with --skip-bad-rows")
        if not any(image.name for image in self.images):
            left = [f"{count} {name}" for name, count in self.skipped.items()]
            left += [f"{len(cases)} {kind}" for kind, cases in self.problems.items()]
            found = f", only {', '.join(left)}" if left else ""
            raise DataError(
                self.root,
                f"no image to use in it ({self.form}){found}, "
                f"expected files ending in {', '.join(TYPES)}",
                "give another folder, or download the dataset again",
            )

    def _drop_unwritable(self) -> None:
        """Drops images that the manifest cannot store: their file name is not UTF-8."""
        good = [image for image in self.images if _is_text(image.path)]
        for image in self.images if len(good) < len(self.images) else ():
            if not _is_text(image.path):
                self.add_problem("images whose name is not UTF-8", ascii(image.path))
        self.images = good


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def image_names(folder: Path) -> list[str]:
    """Returns the names of the image files in a folder, sorted."""
    return sorted(name for name in file_names(folder) if is_image(name))


def is_image(name: str) -> bool:
    """Returns whether a file is an image, and not a system file such as ._1.jpg (macOS)."""
    return name.lower().endswith(TYPES) and name[0] != "."


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
    root: Path,
    splits_folder: Path,
    splits: Mapping[str, str],
    class_of: Callable[[str], Class | None],
    expected: str,
) -> list[tuple[str, str, Class, str]]:
    """Lists the images of a tree of split folders that contain class folders.

    Args:
        root: the folder that paths are relative to.
        splits_folder: the folder with the split folders, root or below it; other folders in it are
            ignored.
        splits: the split for each name of such a folder, in lower case.
        class_of: returns the class for the name of a class folder, or None.
        expected: the problem with such a name and the names expected, for the error.

    Returns:
        (path, split, class, the class folder's name) of each image.

    Raises:
        DataError: a folder in a split folder is not a class.
    """
    found = []
    for split, part in subfolders(splits_folder).items():
        for folder in subfolders(part).values() if split in splits else ():
            label = class_of(folder.name)
            if label is None:
                raise DataError(folder, expected, "rename or move it")
            base = folder.relative_to(root).as_posix()
            found += [
                (f"{base}/{name}", splits[split], label, folder.name)
                for name in image_names(folder)
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
    if not _is_text(str(root)):
        problem = "the name of the folder is not UTF-8, so the manifest cannot store it"
        raise DataError(ascii(str(root)), problem, "rename it")
    return root
