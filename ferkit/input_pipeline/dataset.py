"""A split of a dataset on disk: uint8 images, labels, and which rows duplicate training rows."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from generate_data.errors import SET_UP_AGAIN, DataError, foreign_format
from generate_data.images.face_box import Box, parse_box
from generate_data.images.lazy_array import ImageFiles
from generate_data.images.png import load_images
from generate_data.manifest import MANIFEST, Manifest, read_manifest
from generate_data.readers.ferplus import VOTE_NAMES

if TYPE_CHECKING:
    import pandas

# (dataset, split) -> possible numbers of images of the split that papers report.
_PUBLISHED = {
    ("fer2013", "val"): (3589,),
    ("fer2013", "test"): (3589,),
    ("rafdb", "test"): (3068,),
    ("affectnet", "test"): (3500, 3999, 4000),
}


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows of one split.

    Attributes:
        name: train, val, test or unlabelled.
        images: uint8 ``(rows, height, width, channels)``: an array, or an ``ImageFiles`` that reads
            images as they are needed.
        labels: int32 ``(rows,)``; -1 for rows without a label.
        copy_kind: str ``(rows,)``: "exact", "near" or "": whether the row duplicates a train row.
        source_row: the row in the user's file, as in the manifest.
        class_names: names of the labels, in order.
        has_train: whether the dataset has train rows; without them, duplicates are unknown.
        votes: int32 ``(rows, 10)``, FER+ votes in the order of
            ``generate_data.readers.ferplus.VOTE_NAMES``; None if there are none.
        dataset: kind of the dataset, such as "fer2013".
        published: whether it is a split that papers report, with all of its images.
        learned: bool ``(rows,)``: whether the image was in the training data of the weights that
            are measured, see ``learned.with_learned``; None: not known of any row.
        learned_complete: whether all training images of these weights are known.
    """

    name: str
    images: np.ndarray | ImageFiles
    labels: np.ndarray
    copy_kind: np.ndarray
    source_row: np.ndarray
    class_names: tuple[str, ...]
    has_train: bool
    votes: np.ndarray | None = None
    dataset: str = ""
    published: bool = False
    learned: np.ndarray | None = None
    learned_complete: bool = False

    def __len__(self) -> int:
        return len(self.images)


def load_split(
    folder: str | Path,
    name: str,
    manifest: Manifest | None = None,
    size: int = 0,
    channels: int = 0,
) -> Split:
    """Read a split. Images written by set-up are decoded now, others as they are needed.

    Args:
        folder: the dataset's folder.
        name: train, val, test or unlabelled.
        manifest: the dataset's manifest, if it has been read already.
        size: side in pixels that images outside the dataset's folder are resized to; 0: as they
            are.
        channels: channels that they are converted to; 0: as they are.

    Raises:
        generate_data.errors.DataError: no manifest, no such split, or unreadable images.
    """
    manifest = manifest or read_manifest(folder)
    rows = manifest.split(name)
    paths = [manifest.folder / path for path in rows["path"]]
    images: np.ndarray | ImageFiles
    if manifest.in_place:
        shape = input_shape(manifest, size, channels)
        images = ImageFiles(paths, *shape[1:], boxes=_boxes(rows, manifest))
    else:
        images = load_images(paths, progress=len(rows) > 5000)
    labels = rows["label"].fillna(-1).to_numpy().astype(np.int32)
    return Split(
        name=name,
        images=images,
        labels=labels,
        copy_kind=rows["copy_kind"].fillna("").to_numpy(dtype=str),
        source_row=rows["source_row"].to_numpy(),
        class_names=tuple(manifest.class_names),
        has_train=bool((manifest.table["split"] == "train").any()),
        votes=_votes(rows["votes"], manifest) if "votes" in rows else None,
        dataset=manifest.description.get("dataset", "fer2013"),
        published=_is_published(manifest.description, name, len(rows)),
    )


def _boxes(rows: "pandas.DataFrame", manifest: Manifest) -> list[Box | None] | None:
    """The face boxes of rows; None if the dataset has no column for them."""
    if "box" not in rows:
        return None
    path = manifest.folder / MANIFEST
    with foreign_format(DataError, path, "column box is not all face boxes", SET_UP_AGAIN):
        return [parse_box(text) for text in rows["box"]]


def _is_published(description: dict[str, Any], split: str, count: int) -> bool:
    dataset = description.get("dataset", "fer2013")
    drawn_by_setup = split == "val" and description.get("val_from") != "source"
    return count in _PUBLISHED.get((dataset, split), ()) and not drawn_by_setup


def _votes(texts: Iterable[str], manifest: Manifest) -> np.ndarray:
    """Texts such as "4;0;0;1;3;2;0;0;0;0" as int32 ``(rows, 10)``; empty texts are zeros."""
    none = ";".join("0" * len(VOTE_NAMES))
    path = manifest.folder / MANIFEST
    problem = f"column votes does not have {len(VOTE_NAMES)} integers in each row"
    with foreign_format(DataError, path, problem, SET_UP_AGAIN):
        votes = np.array([(text or none).split(";") for text in texts]).astype(np.int32)
        return votes.reshape(-1, len(VOTE_NAMES))


def input_shape(manifest: Manifest, size: int = 0, channels: int = 0) -> tuple[int, int, int]:
    """Height, width and channels of a model's input for a dataset.

    Args:
        manifest: the dataset's manifest.
        size: side in pixels; 0: as in the dataset.
        channels: number of channels; 0: as in the dataset.

    Raises:
        generate_data.errors.DataError: no size is given, and the images are not square or have
            several sizes.
    """
    channels = channels or manifest.description.get("channels", 1)
    if size:
        return size, size, channels
    sizes = manifest.description.get("image_size")
    if not sizes or sizes[0] != sizes[1]:
        what = f"are {sizes[0]}x{sizes[1]} pixels" if sizes else "have several sizes"
        problem = f"its images {what}; models need square images of one size"
        raise DataError(manifest.folder, problem, "give --image_size N")
    return sizes[0], sizes[1], channels
