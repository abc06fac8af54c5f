"""Parquet files as the Hugging Face Hub stores datasets of images."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def encoded(image: np.ndarray, ending: str = ".png") -> bytes:
    """Returns the bytes of an image file."""
    return cv2.imencode(ending, image)[1].tobytes()


def write_parquet(
    path: Path,
    images: Sequence[bytes | None],
    labels: Sequence[int | str | None],
    names: Sequence[str] | None,
    columns: tuple[str, str] = ("image", "label"),
) -> Path:
    """Writes one shard; without names, its metadata has none."""
    image, label = columns
    rows = [{"bytes": content, "path": f"{row}.png"} for row, content in enumerate(images)]
    kind = pyarrow.string() if isinstance(labels[0], str) else pyarrow.int64()
    arrays = [pyarrow.array(rows, IMAGE), pyarrow.array(labels, kind)]
    table = pyarrow.Table.from_arrays(arrays, names=[image, label])
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path)
    return path
