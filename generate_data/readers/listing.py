"""What a reader finds in a folder of images: which there are, of which class and split, and what was wrong."""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from generate_data.errors import DataError
from generate_data.readers.class_folders import IMAGE_TYPES

TYPES = (*IMAGE_TYPES, ".tif", ".tiff")  # JAFFE and AffectNet have TIFF files


@dataclasses.dataclass(frozen=True, slots=True)
class ListedImage:
    """One image where it lies.

    Args:
        path: from the root, with forward slashes.
        split: train, val or test; "" where the source has no splits.
        name: its class, in our words; None for a label that is left out.
        source_label: the label as the source has it.
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
        source: what the images' labels come from: a dataset's name or a list file's.
        form: which form of the dataset it is, for the summary.
        images: the images with a label, those included whose label is left out.
        class_names: in our order.
        skipped: how many images have each label that is left out.
        problems: for each kind of problem, what it is about; such an image is not among `images`.
        warnings: what the user should know and need not mend.
    """

    root: Path
    source: str
    form: str
    images: list[ListedImage] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = ()
    skipped: Counter = dataclasses.field(default_factory=Counter)
    problems: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def add_problem(self, kind: str, about: str) -> None:
        """Notes a problem with one image; `kind` follows a count: "images without a label"."""
        self.problems.setdefault(kind, []).append(about)

    def bad_rows(self) -> list[str]:
        """A line of text for each problem."""
        return [f"{about} ({kind})" for kind, cases in self.problems.items() for about in cases]

    def check(self, skip: bool) -> None:
        """Raises DataError about the problems, unless they are to be skipped, or when there is no image to use."""
        self._drop_unwritable()
        if self.problems and not skip:
            (kind, cases), *others = self.problems.items()
            rest = "".join(f"; also {len(more)} {other}" for other, more in others)
            raise DataError(
                f"{self.root}: {len(cases)} {kind}, the first: {cases[0]}{rest}. Mend them, or drop them with --skip-bad-rows."
            )
        if not any(image.name for image in self.images):
            left = [f"{count} {name}" for name, count in self.skipped.items()]
            left += [f"{len(cases)} {kind}" for kind, cases in self.problems.items()]
            found = f" but {', '.join(left)}" if left else ""
            raise DataError(
                f"{self.root}: no image to use in it ({self.form}){found}. Expected files ending in {', '.join(TYPES)}. "
                "Name another folder, or download the dataset again."
            )

    def _drop_unwritable(self) -> None:
        """File names that are not UTF-8 cannot stand in the manifest."""
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
    """Names of the image files in a folder, sorted."""
    return sorted(name for name in file_names(folder) if is_image(name))


def is_image(name: str) -> bool:
    """Whether a file of this name is an image of the dataset, not of the system (macOS leaves ._1.jpg)."""
    return name.lower().endswith(TYPES) and name[0] != "."


def file_names(folder: Path) -> list[str]:
    """Names of all entries of a folder.

    Raises:
        DataError: the folder is missing or may not be read.
    """
    try:
        return os.listdir(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot read the folder ({error.strerror}). Check its name and permissions."
        ) from None


def subfolders(folder: Path) -> dict[str, Path]:
    """The folders in a folder by their names in lower case, sorted; hidden ones left out."""
    names = sorted(name for name in file_names(folder) if name[0] != ".")
    return {name.lower(): folder / name for name in names if (folder / name).is_dir()}


def in_class_folders(
    root: Path, place: Path, splits: Mapping[str, str], class_of: Callable, expected: str
) -> list[tuple]:
    """The images of a tree of split folders with class folders in them.

    Args:
        root: where paths start.
        place: the folder with the split folders, root itself or below it; others in it are left aside.
        splits: our split for each name of such a folder, in lower case.
        class_of: from the name of a class folder to its class, or None.
        expected: what such a name must be, for the error.

    Returns:
        (path, split, class, the class folder's name) of each image.

    Raises:
        DataError: a folder in a split folder is of no class.
    """
    found = []
    for split, part in subfolders(place).items():
        for folder in subfolders(part).values() if split in splits else ():
            label = class_of(folder.name)
            if label is None:
                raise DataError(f"{folder}: {expected}. Rename or move it.")
            base = folder.relative_to(root).as_posix()
            found += [
                (f"{base}/{name}", splits[split], label, folder.name)
                for name in image_names(folder)
            ]
    return found


def existing_root(source: str | Path) -> Path:
    """The absolute path of a source folder.

    Raises:
        DataError: it is missing, or a file.
    """
    root = Path(os.path.abspath(source))
    if not root.is_dir():
        state = "a file, not a folder" if root.exists() else "no such folder"
        raise DataError(f"{root}: {state}. Name the folder that holds the images.")
    if not _is_text(str(root)):
        raise DataError(
            f"{str(root)!a}: a folder whose name is not UTF-8, which no manifest can hold. Rename it."
        )
    return root
