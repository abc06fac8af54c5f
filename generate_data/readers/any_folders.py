"""Any tree of class folders, where it lies: CK+, JAFFE, KDEF, FERG and the like, with split folders or without."""

import os
from collections import Counter
from pathlib import Path

from generate_data.errors import DataError
from generate_data.labels import OUR_ORDER, SPLIT_FOLDERS, expression_of, in_our_order
from generate_data.readers.listing import ListedImage, Listing, existing_root, is_image


def list_folder_tree(source: str | Path) -> Listing:
    """Lists the images of a tree whose folders' names say the class.

    Below an outer folder train, val or test (or another word of these) all is of that split; without any such folder, no
    image has a split. The innermost folder whose name is an expression decides the class. A folder that lies as deep as
    those, with a name that is no expression, is a class of its own.

    Raises:
        DataError: the folder is missing, has no class folders, only one class, or folders named by numbers.
    """
    root = existing_root(source)
    listing = Listing(root, "folders", "class folders")
    found = [(path, *_split_of(path)) for path in _walk(root)]  # (path, split, folders behind it)
    if any(split for _, split, _ in found):
        outside = sum(not split for _, split, _ in found)
        if outside:
            listing.warnings.append(f"{outside} images outside the split folders were left aside.")
        found = [entry for entry in found if entry[1]]
    depths = Counter(
        place for _, _, folders in found if (place := _class_place(folders)) is not None
    )
    usual = depths.most_common(1)[0][0] if depths else None
    for path, split, folders in found:
        if not folders:
            listing.add_problem("images that lie in no class folder", str(root / path))
            continue
        place = _class_place(folders)
        if place is None:
            place = usual if usual is not None and usual < len(folders) else len(folders) - 1
        folder = folders[place]
        name = expression_of(folder) or folder.strip().lower()
        if name.isdecimal():
            raise DataError(_ambiguous(root, path, folder))
        listing.images.append(ListedImage(path, split, name, folder))
    _name_classes(listing)
    return listing


def _walk(root: Path) -> list[str]:
    """Paths of all images below root, sorted. Each folder is looked into once, so that links in a circle end."""
    paths, seen, waiting = [], set(), [""]
    while waiting:
        place = waiting.pop()
        try:
            status = os.stat(root / place)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / place) as entries:
                entries = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            raise DataError(
                f"{root / place}: cannot read the folder ({error.strerror}). Change its permissions."
            ) from None
        for entry in entries:
            if entry.name[0] == ".":
                continue
            if entry.is_dir():
                waiting.append(f"{place}{entry.name}/")
            elif is_image(entry.name):
                paths.append(place + entry.name)
    return sorted(paths)


def _split_of(path: str) -> tuple[str, list[str]]:
    """The split by the outermost folder that names one, "" without, and the folders that may name the class."""
    folders = path.split("/")[:-1]
    for index, folder in enumerate(folders):
        if folder.lower() in SPLIT_FOLDERS:
            behind, before = folders[index + 1 :], folders[:index]  # train/happy, or happy/train
            return SPLIT_FOLDERS[folder.lower()], behind or (
                before if _class_place(before) is not None else []
            )
    return "", folders


def _class_place(folders: list[str]) -> int | None:
    """Index of the innermost folder whose name is an expression."""
    return next(
        (index for index in range(len(folders) - 1, -1, -1) if expression_of(folders[index])), None
    )


def _ambiguous(root: Path, path: str, folder: str) -> str:
    return (
        f"{root}: the class folder {folder!r} of {path} is a number, which each dataset counts differently. Name the dataset: "
        "--dataset affectnet for 0 to 7 (neutral first), --dataset rafdb for 1 to 7 (surprise first), or rename the folders."
    )


def _name_classes(listing: Listing) -> None:
    names = {image.name for image in listing.images}
    listing.class_names = in_our_order(names)
    if len(names) == 1:
        raise DataError(
            f"{listing.root}: one class only, {listing.class_names[0]}, expected at least two class folders. "
            "Name the folder that holds all class folders."
        )
    own = [name for name in listing.class_names if name not in OUR_ORDER]
    if own:
        what = (
            "is no expression known here, so a class of its own"
            if len(own) == 1
            else "are no expressions known here, so classes of their own"
        )
        listing.warnings.append(f"{', '.join(own)} {what}, behind the others.")
