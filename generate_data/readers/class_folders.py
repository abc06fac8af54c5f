"""The reader of FER2013 as class folders, such as train/angry/1.jpg and test/happy/2.png."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.errors import DataError, escaped
from generate_data.folder_contents import PassedOver, contents_of
from generate_data.images.png import read_image
from generate_data.labels import FER_FOLDERS, SPLIT_FOLDERS
from generate_data.readers.pixel_text import SIZE
from generate_data.rows import Rows


@dataclasses.dataclass(frozen=True)
class TreeImage:
    """One image of a tree: path from the root with forward slashes, split and label."""

    path: str
    split: str
    label: int


def find_tree(root: Path) -> Path | None:
    """Finds the folder that contains split folders: root itself, or a folder in it."""
    for candidate in (
        root,
        *sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != "."),
    ):
        if any(
            path.is_dir() and SPLIT_FOLDERS.get(path.name.lower()) == "train"
            for path in candidate.iterdir()
        ):
            return candidate
    return None


def list_tree(
    root: Path, class_folders: Mapping[str, int], passed_over: PassedOver
) -> list[TreeImage]:
    """Lists a tree of split folders with class folders, sorted by path.

    Args:
        root: the folder that holds train, and perhaps val and test.
        class_folders: label of each folder name, in lower case.
        passed_over: records what is not read.

    Raises:
        DataError: a folder in a split is not a class, or there is no image.
    """
    images = []
    for split_name in contents_of(root, PassedOver()).folders:
        split = SPLIT_FOLDERS.get(split_name.lower())
        if split is None:
            kind = f"folders are not read (their name is none of {', '.join(SPLIT_FOLDERS)})"
            passed_over.add(kind, root / split_name)
            continue
        contents = contents_of(root / split_name, passed_over)
        for name in contents.images:
            kind = "images outside any class folder are not read"
            passed_over.add(kind, root / split_name / name)
        for folder_name in contents.folders:
            folder = root / split_name / folder_name
            label = class_folders.get(folder_name.lower())
            if label is None:
                known = ", ".join(list(class_folders)[:10])
                problem = f"unknown class folder {folder_name!r}, expected {known}"
                raise DataError(folder, problem, "rename or move it")
            inside = contents_of(folder, passed_over)
            for name in inside.folders:
                passed_over.add("folders inside a class folder are not read", folder / name)
            images += [
                TreeImage(f"{split_name}/{folder_name}/{name}", split, label)
                for name in inside.images
            ]
    if not images:
        advice = f"add files such as train/{next(iter(class_folders))}/1.jpg"
        found = " ".join(["class folders without images.", *passed_over.warnings()])
        raise DataError(root, found.rstrip("."), advice)
    return images


def read_fer_tree(root: Path, progress: Callable[[int], None] = lambda count: None) -> Rows:
    """Reads FER2013 as class folders into rows.

    The common copy merges PublicTest and PrivateTest into `test`. A file name that contains
    PublicTest or PrivateTest decides. Other rows stay in `test`, with a warning.
    """
    passed_over = PassedOver()
    listed = list_tree(root, FER_FOLDERS, passed_over)
    splits = [_fer_split(image) for image in listed]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read = list(
            pool.map(lambda image: _read(root / image.path, progress), listed, chunksize=64)
        )
    good = np.array([index for index, (image, _) in enumerate(read) if image is not None], int)
    errors = [
        f"{escaped(image.path)} row {row}: {wrong}"
        for row, (image, (_, wrong)) in enumerate(zip(listed, read, strict=True))
        if wrong
    ]
    warnings = passed_over.warnings()
    unmarked = sum(
        split == "test" and "privatetest" not in image.path.lower()
        for split, image in zip(splits, listed, strict=True)
    )
    if unmarked:
        warnings.append(
            f"{unmarked} images of the test folder are not marked as PublicTest or PrivateTest: "
            "all of them are in split test. Its accuracies are comparable with neither."
        )
    return Rows(
        np.array([read[index][0] for index in good], np.uint8).reshape(-1, SIZE, SIZE),
        np.array([listed[index].label for index in good], int),
        np.array([splits[index] for index in good], dtype="<U10"),
        np.array([listed[index].path for index in good], dtype=object),
        good,
        errors=errors,
        warnings=warnings,
    )


def _fer_split(image: TreeImage) -> str:
    name = image.path.rsplit("/", 1)[-1].lower()
    if image.split == "train":
        return "train"
    return "val" if "publictest" in name else "test" if "privatetest" in name else image.split


def _read(path: Path, progress: Callable[[int], None]) -> tuple[np.ndarray | None, str]:
    progress(1)
    try:
        image = read_image(path, gray=True)
    except DataError as error:
        return None, error.problem
    if image.shape != (SIZE, SIZE):
        return None, f"an image of {image.shape[1]}x{image.shape[0]}, expected {SIZE}x{SIZE}"
    return image, ""
