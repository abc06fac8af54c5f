"""A split of a dataset on disk, in memory: uint8 images, labels, and which rows are copies of training rows."""

import dataclasses
from pathlib import Path

import numpy as np

from generate_data.images import load_images
from generate_data.manifest import Manifest, read_manifest


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows of one split.

    Attributes:
        name: train, val, test or unlabelled.
        images: uint8 ``(rows, height, width, channels)``.
        labels: int32 ``(rows,)``; -1 where a row has none.
        copy_kind: str ``(rows,)``: "exact", "near" or "": whether the row copies a train row.
        source_row: the row in the user's file, as the manifest has it.
        class_names: names of the labels, in order.
        has_train: whether the dataset has train rows at all; without, nobody can tell copies.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    copy_kind: np.ndarray
    source_row: np.ndarray
    class_names: tuple[str, ...]
    has_train: bool

    def __len__(self):
        return len(self.images)


def load_split(folder: str | Path, name: str, manifest: Manifest | None = None) -> Split:
    """Read a split, all images decoded once.

    Raises:
        generate_data.errors.DataError: no manifest, no such split, or images gone or unreadable.
    """
    manifest = manifest or read_manifest(folder)
    rows = manifest.split(name)
    images = load_images([manifest.folder / path for path in rows["path"]], progress=len(rows) > 5000)
    labels = rows["label"].fillna(-1).to_numpy().astype(np.int32)
    return Split(
        name=name,
        images=images,
        labels=labels,
        copy_kind=rows["copy_kind"].fillna("").to_numpy(dtype=str),
        source_row=rows["source_row"].to_numpy(),
        class_names=tuple(manifest.class_names),
        has_train=bool((manifest.table["split"] == "train").any()),
    )
