"""Which images of a split were in the training data of the weights that are measured on it."""

import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ferkit.input_pipeline.dataset import Split
from ferkit.models.trained_on import HASH_BYTES, TrainedOn
from generate_data.images.face_box import Box, read_face
from generate_data.images.lazy_array import ImageFiles
from generate_data.images.scan import merge_equal_channels, pixel_digest


def image_hashes(images: np.ndarray | ImageFiles) -> np.ndarray:
    """The first bytes of a hash of each image's pixels.

    Images that are read from files in any size are hashed in their full size. So an image has the
    same hash for models with different input sizes.

    Args:
        images: uint8 ``(rows, height, width, channels)``.

    Returns:
        uint64 ``(rows,)``, below 2^40.

    Raises:
        generate_data.errors.DataError: an image file is missing or cannot be read.
    """
    if isinstance(images, ImageFiles):
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            hashes = list(pool.map(_file_hash, images.paths, images.boxes))
    else:
        hashes = [_image_hash(image) for image in images]
    return np.array(hashes, np.uint64)


def _file_hash(path: str, box: Box | None) -> int:
    return _image_hash(read_face(path, box))


def _image_hash(image: np.ndarray) -> int:
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    return int.from_bytes(pixel_digest(merge_equal_channels(image))[:HASH_BYTES], "big")


def with_learned(split: Split, record: TrainedOn) -> Split:
    """The split, with the information which of its images are in the training data `record`."""
    if not len(record.hashes):
        return dataclasses.replace(split, learned=None, learned_complete=record.complete)
    learned = np.isin(image_hashes(split.images), record.hashes)
    return dataclasses.replace(split, learned=learned, learned_complete=record.complete)


def unexpectedly_learned(split: Split) -> np.ndarray:
    """Bool ``(rows,)``: learned images, except exact duplicates of the dataset's own train images.

    Such duplicates are marked, and ``accuracy_clean`` leaves them out.
    """
    if split.learned is None:
        return np.zeros(len(split), bool)
    return split.learned & (split.copy_kind != "exact")


def learned_counts(split: Split) -> dict[str, Any]:
    """How many images of a split the weights have learned, as JSON values.

    Returns:
        ``count_learned``: images in the training data, None if none of it is known;
        ``count_learned_unmarked``: those that are not marked as exact duplicates of train images;
        ``training_images_known``: whether all training images are known, so that both are exact.
    """
    learned = split.learned
    unmarked = None if learned is None else int(unexpectedly_learned(split).sum())
    return {
        "count_learned": None if learned is None else int(learned.sum()),
        "count_learned_unmarked": unmarked,
        "training_images_known": split.learned_complete,
    }


def learned_note(figures: Mapping[str, Any]) -> str:
    """One sentence on the images that the weights have learned.

    Args:
        figures: ``learned_counts`` of a split, and its "count".
    """
    count, learned = figures["count"], figures.get("count_learned") or 0
    known = figures.get("training_images_known", False)
    some = f"{learned:,} of {count:,} images were in the training data of these weights"
    if figures.get("count_learned_unmarked"):
        at_least = "" if known else "At least "
        return f"{at_least}{some}: these figures are not those of new images."
    if not known:
        return (
            "Unknown: the training images of these weights are not recorded; they may include "
            "these images."
        )
    if learned:
        return f"{some}, all of them marked as exact duplicates of train images."
    return "None of these images was in the training data of these weights."
