"""What a folder holds, by the same rules for every reader, and what of it is not read.

Names that start with a dot are not read. Links to folders are followed, each folder once.
"""

import dataclasses
import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from generate_data.errors import DataError, escaped
from generate_data.image_types import DATASET_TYPES, OTHER_PICTURES

EMPTY_FOLDERS = "folders have no image that is read"  # a class may be missing


@dataclasses.dataclass
class PassedOver:
    """What a reader does not read: the paths of each kind.

    Args:
        paths: kind -> the paths. A kind follows a count: "hidden files (...)".
    """

    paths: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add(self, kind: str, path: str | Path) -> None:
        """Records one file or folder."""
        self.paths.setdefault(kind, []).append(escaped(path))

    def remove(self, path: str | Path) -> None:
        """Takes out a file that is read after all."""
        text = escaped(path)
        kept = {kind: [one for one in paths if one != text] for kind, paths in self.paths.items()}
        self.paths = {kind: paths for kind, paths in kept.items() if paths}

    def warnings(self) -> list[str]:
        """Returns one line for each kind, with its first path."""
        return [
            f"{len(paths):,} {kind}, the first: {paths[0]}." for kind, paths in self.paths.items()
        ]


@dataclasses.dataclass(frozen=True)
class Contents:
    """The names of what a folder holds, sorted.

    Args:
        folders: the visible subfolders.
        images: the images.
    """

    folders: tuple[str, ...]
    images: tuple[str, ...]


def contents_of(
    folder: Path, passed_over: PassedOver, types: Collection[str] = DATASET_TYPES
) -> Contents:
    """Lists a folder, and records what is not read.

    Args:
        folder: the folder.
        passed_over: records the rest.
        types: endings of the images, in lower case.

    Raises:
        DataError: the folder is missing or cannot be read.
    """
    folders, images = [], []
    try:
        with os.scandir(folder) as iterator:
            entries = sorted(iterator, key=lambda entry: entry.name)
    except OSError as error:
        problem = f"cannot read the folder ({error.strerror})"
        raise DataError(folder, problem, "check its name and permissions") from None
    for entry in entries:
        ending = os.path.splitext(entry.name)[1].lower()
        is_picture = ending in types or ending in OTHER_PICTURES
        if entry.name[0] == ".":
            if is_picture or entry.is_dir():
                kind = "hidden files or folders are not read (their names start with a dot)"
                passed_over.add(kind, entry.path)
        elif entry.is_dir():
            folders.append(entry.name)
        elif ending in types:
            images.append(entry.name)
        elif is_picture:
            kind = f"files ending in {ending} are not read ({OTHER_PICTURES[ending]})"
            passed_over.add(kind, entry.path)
        else:
            passed_over.add("files that are not images are not read", entry.path)
    return Contents(tuple(folders), tuple(images))


def images_below(
    root: Path, passed_over: PassedOver, types: Collection[str] = DATASET_TYPES
) -> list[str]:
    """Lists the paths of all images below a folder, relative to it with forward slashes, sorted.

    Args:
        root: the folder.
        passed_over: records what is not read.
        types: endings of the images, in lower case.

    Raises:
        DataError: a folder cannot be read.
    """
    paths: list[str] = []
    seen: dict[tuple[int, int], str] = {}
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        try:
            status = os.stat(root / parent)
        except OSError as error:
            problem = f"cannot read the folder ({error.strerror})"
            raise DataError(root / parent, problem, "change its permissions") from None
        identity = status.st_dev, status.st_ino
        if identity in seen:
            kind = "linked folders are not read again (the same folder was read under another name)"
            passed_over.add(kind, root / parent)
            continue
        seen[identity] = parent
        contents = contents_of(root / parent, passed_over, types)
        if not contents.folders and not contents.images and parent:
            passed_over.add(EMPTY_FOLDERS, root / parent)
        waiting += [f"{parent}{name}/" for name in reversed(contents.folders)]
        paths += [parent + name for name in contents.images]
    return sorted(paths)


def state_of(root: Path) -> dict[str, int | str]:
    """Identifies the images below a folder by their number and the hash of their names."""
    names = images_below(root, PassedOver())
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()
    return {"images": len(names), "names_sha256": digest}
