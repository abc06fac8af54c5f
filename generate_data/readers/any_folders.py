"""The reader of any tree of class folders, such as CK+, JAFFE, KDEF and FERG.

The tree may have split folders.
"""

import re
from collections import Counter
from pathlib import Path

from generate_data.errors import DataError
from generate_data.folder_contents import images_below
from generate_data.labels import CLASS_ORDER, SPLIT_FOLDERS, expression_of, sort_classes
from generate_data.readers.listing import ListedImage, Listing, existing_root

# A file of CK+: subject, sequence and frame, such as S010_004_00000017.png.
_CK_NAME = re.compile(r"(S\d{3})_\d{3}_\d{8}\.\w+")


def list_folder_tree(source: str | Path) -> Listing:
    """Lists the images of a tree whose folder names give the class.

    All images below an outer folder train, val or test (or a synonym) belong to that split. Without
    such a folder, images have no split. The innermost folder whose name is an expression gives the
    class. A folder at the same depth with another name is a separate class. Files
    that are named as in CK+ have a person.

    Raises:
        DataError: the folder is missing, has no class folders, only one class, or class folders
            named by numbers.
    """
    root = existing_root(source)
    listing = Listing(root, "folders", "class folders")
    paths = images_below(root, listing.passed_over)
    found = [(path, *_split_of(path)) for path in paths]  # path, split, class folders
    if any(split for _, split, _ in found):
        outside = sum(not split for _, split, _ in found)
        if outside:
            listing.warnings.append(f"{outside} images outside the split folders were ignored.")
        found = [entry for entry in found if entry[1]]
    depths = Counter(
        depth for _, _, folders in found if (depth := _class_depth(folders)) is not None
    )
    usual = depths.most_common(1)[0][0] if depths else None
    for path, split, folders in found:
        if not folders:
            listing.add_problem("images outside any class folder", str(root / path))
            continue
        depth = _class_depth(folders)
        if depth is None:
            depth = usual if usual is not None and usual < len(folders) else len(folders) - 1
        folder = folders[depth]
        name = expression_of(folder) or folder.strip().lower()
        if name.isdecimal():
            raise _ambiguous(root, path, folder)
        listing.images.append(_image(path, split, name, folder))
    name_classes(listing)
    return listing


def _image(path: str, split: str, name: str, folder: str) -> ListedImage:
    subject = _CK_NAME.fullmatch(path.rsplit("/", 1)[-1])
    return ListedImage(path, split, name, folder, person=subject[1] if subject else "")


def _split_of(path: str) -> tuple[str, list[str]]:
    """Returns the split that the outermost split folder gives, and the possible class folders.

    The split is "" if there is no split folder.
    """
    folders = path.split("/")[:-1]
    for index, folder in enumerate(folders):
        if folder.lower() in SPLIT_FOLDERS:
            outer, inner = folders[:index], folders[index + 1 :]  # happy/train, or train/happy
            if not inner and _class_depth(outer) is not None:
                inner = outer
            return SPLIT_FOLDERS[folder.lower()], inner
    return "", folders


def _class_depth(folders: list[str]) -> int | None:
    """Returns the index of the innermost folder whose name is an expression."""
    return next(
        (index for index in range(len(folders) - 1, -1, -1) if expression_of(folders[index])), None
    )


def _ambiguous(root: Path, path: str, folder: str) -> DataError:
    return DataError(
        root,
        f"the class folder {folder!r} of {path} is a number, whose meaning depends on the dataset",
        "give the dataset: --dataset affectnet for 0 to 7 (neutral first), --dataset rafdb for "
        "1 to 7 (surprise first), or rename the folders",
    )


def name_classes(listing: Listing) -> None:
    """Sets the classes of a listing: the names of its images, in the usual order.

    Raises:
        DataError: it has only one class.
    """
    names = {image.name for image in listing.images if image.name is not None}
    listing.class_names = sort_classes(names)
    if len(names) == 1:
        raise DataError(
            listing.source_path,
            " ".join(
                [
                    f"one class only, {listing.class_names[0]}, expected at least two class "
                    "folders.",
                    *listing.passed_over.warnings(),
                ]
            ).rstrip("."),
            "give the folder that contains all class folders",
        )
    unknown = [name for name in listing.class_names if name not in CLASS_ORDER]
    if unknown:
        meaning = (
            "is not a known expression, so it is a separate class"
            if len(unknown) == 1
            else "are not known expressions, so they are separate classes"
        )
        listing.warnings.append(f"{', '.join(unknown)} {meaning}, after the others.")
