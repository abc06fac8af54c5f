"""Saved models in half the bytes: a .keras file whose large weights lie in it as float16. Keras loads it as any other."""

import io
import zipfile
from pathlib import Path

from ferkit.files import written_atomically

_WEIGHTS = "model.weights.h5"


def halve(path: str | Path):
    """Rewrite a .keras file with its kernels in float16; vectors (biases, normalization and its statistics) stay as they are.

    Loaded, the model computes in float32 again, from the rounded values.

    Args:
        path: the file; it is replaced at once, or not at all.

    Raises:
        ValueError: a kernel that float16 cannot hold.
    """
    import h5py
    import numpy as np

    source = zipfile.ZipFile(path)
    with (
        source,
        written_atomically(path) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == _WEIGHTS:
                buffer = io.BytesIO()
                with h5py.File(io.BytesIO(content), "r") as full, h5py.File(buffer, "w") as half:

                    def copy(place, item, half=half):
                        if isinstance(item, h5py.Group):
                            half.require_group(place).attrs.update(item.attrs)
                            return
                        values = item[()]
                        if values.ndim > 1 and values.dtype == np.float32:
                            if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
                                raise ValueError(
                                    f"{place}: values up to {np.abs(values).max():g}, too large for float16"
                                )
                            values = values.astype(np.float16)
                        half.create_dataset(place, data=values).attrs.update(item.attrs)

                    full.visititems(copy)
                content = buffer.getvalue()
            target.writestr(name, content)
