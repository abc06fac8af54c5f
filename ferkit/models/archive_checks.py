"""Checks a .keras file before Keras loads it: sizes, class and configuration.

A file of a few megabytes may claim gigabytes: it is refused before they are allocated.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py

from ferkit.errors import UserError
from ferkit.models.registry import MODELS

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
MAX_CONFIG = 2**20  # bytes; those of this program have less than 2,000
MAX_RATIO, ALWAYS_ALLOWED = 20, 16 * 2**20  # unpacked bytes per packed byte, and below this any
MAX_IMAGE_SIZE, MAX_CLASSES = 1024, 1000
_ADVICE = "copy it again, or give another file"


def check_archive(path: Path) -> None:
    """Check that a zip file can be a saved model of this program.

    Raises:
        UserError: a member is missing or too large, the configuration is out of range, or the
            class is not one of this program.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive)
            _check_config(path, _read_config(path, archive))
            _check_weights(path, archive.read(WEIGHTS))
    except UserError:
        raise
    except Exception as error:  # zipfile, JSON and HDF5 raise many types for damaged files
        problem = "cannot be read: damaged, or not a model of this program"
        raise UserError(path, problem, _ADVICE) from error


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    missing = {CONFIG, WEIGHTS} - set(names)
    if missing:
        problem = f"contains no {min(missing)}, so it is not a Keras model"
        raise UserError(path, problem, _ADVICE)
    if len(names) != len(set(names)):
        raise UserError(path, "contains a member twice", _ADVICE)
    for entry in archive.infolist():
        limit = max(ALWAYS_ALLOWED, MAX_RATIO * entry.compress_size)
        if entry.filename in (CONFIG, METADATA):
            limit = MAX_CONFIG
        if entry.file_size > limit:
            problem = f"{entry.filename} has {entry.file_size:,} bytes, at most {limit:,} expected"
            raise UserError(path, problem, "give a model that this program saved")


def _read_config(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    config = json.loads(archive.read(CONFIG))
    known = {f"{entry.package}>{entry.class_name}" for entry in MODELS.values()}
    if config.get("registered_name") not in known:
        raise UserError(
            path,
            "a Keras model that was not made by this program",
            "train a model with: python main.py train",
        )
    return config["config"]


def _check_config(path: Path, config: dict[str, Any]) -> None:
    names, size = config.get("class_names", ()), config.get("image_size", 1)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise UserError(path, "its class names are not different texts", _ADVICE)
    if len(names) > MAX_CLASSES:
        raise UserError(path, f"{len(names):,} classes, at most {MAX_CLASSES:,} expected", _ADVICE)
    if not isinstance(size, int) or not 1 <= size <= MAX_IMAGE_SIZE:
        problem = f"image_size {size}, expected 1 to {MAX_IMAGE_SIZE} pixels"
        raise UserError(path, problem, _ADVICE)
    if config.get("channels", 1) not in (1, 3):
        raise UserError(path, f"channels {config['channels']}, expected 1 or 3", _ADVICE)


def _check_weights(path: Path, content: bytes) -> None:
    """Check that the arrays of an HDF5 file are stored in it, and are not larger than it."""
    claimed = 0

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal claimed
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise UserError(path, f"{WEIGHTS}: {name} is stored in another file", _ADVICE)
            claimed += item.nbytes

    with h5py.File(io.BytesIO(content), "r") as store:
        store.visititems(add)
    if claimed > len(content):
        problem = f"{WEIGHTS} claims arrays of {claimed:,} bytes and has {len(content):,}"
        raise UserError(path, problem, _ADVICE)
