"""Datasets on disk: readers, splits, duplicate search, images and manifest.

The package never imports TensorFlow, and it imports its own modules on first use: error classes
stay available without numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generate_data.errors import DataError
    from generate_data.images.lazy_array import ImageFiles
    from generate_data.images.png import load_images
    from generate_data.manifest import MANIFEST, Manifest, read_manifest, source_change
    from generate_data.readers.image_sources import is_image_source
    from generate_data.samples.sample_csv import write_sample
    from generate_data.setup_fer2013 import set_up
    from generate_data.setup_image_folders import set_up_image_dataset
    from generate_data.summary import format_image_summary, format_summary

_MODULES = {
    "DataError": "errors",
    "MANIFEST": "manifest",
    "is_image_source": "readers.image_sources",
    "write_sample": "samples.sample_csv",
    "ImageFiles": "images.lazy_array",
    "Manifest": "manifest",
    "format_image_summary": "summary",
    "format_summary": "summary",
    "load_images": "images.png",
    "read_manifest": "manifest",
    "source_change": "manifest",
    "set_up": "setup_fer2013",
    "set_up_image_dataset": "setup_image_folders",
}

__all__ = [
    "MANIFEST",
    "DataError",
    "ImageFiles",
    "Manifest",
    "format_image_summary",
    "format_summary",
    "is_image_source",
    "load_images",
    "read_manifest",
    "set_up",
    "set_up_image_dataset",
    "source_change",
    "write_sample",
]


def __getattr__(name: str) -> object:
    """Imports an exported name on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'generate_data' has no attribute {name!r}")
    return getattr(import_module(f"generate_data.{_MODULES[name]}"), name)
