"""Stores saved models in half the bytes: kernels of a .keras file become float16.

Keras loads such a file like any other.
"""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

from ferkit.files import written_atomically

_WEIGHTS = "model.weights.h5"


def halve(path: str | Path) -> None:
    """Rewrite a .keras file with its kernels in float16.

    Vectors (biases, normalization and its statistics) stay as they are. A loaded model computes in
    float32, from the rounded values.

    Args:
        path: the file, which is replaced atomically.

    Raises:
        ValueError: a kernel has values that float16 cannot represent.
    """
    with (
        zipfile.ZipFile(path) as source,
        written_atomically(path) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, _halved_weights(content) if name == _WEIGHTS else content)


def _halved_weights(content: bytes) -> bytes:
    """An HDF5 file with float32 arrays of two or more dimensions as float16."""
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as full, h5py.File(buffer, "w") as half:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                half.require_group(name).attrs.update(item.attrs)
                return
            values = item[()]
            if values.ndim > 1 and values.dtype == np.float32:
                largest = np.abs(values).max(initial=0)
                if largest > np.finfo(np.float16).max:
                    raise ValueError(f"{name}: values up to {largest:g}, too large for float16")
                values = values.astype(np.float16)
            half.create_dataset(name, data=values).attrs.update(item.attrs)

        full.visititems(copy)
    return buffer.getvalue()
