"""Datasets on disk: readers, splits, the search for copies, images and manifest. No TensorFlow here, nothing imported early."""

_HOMES = {
    "DataError": "errors",
    "MANIFEST": "manifest",
    "Manifest": "manifest",
    "read_manifest": "manifest",
    "load_images": "images.png",
    "set_up": "setup_fer2013",
    "write_sample": "samples.sample_csv",
    "format_summary": "setup_fer2013",
    "ImageFiles": "images.lazy_array",
    "set_up_image_dataset": "setup_image_folders",
    "format_image_summary": "image_summary",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'generate_data' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"generate_data.{_HOMES[name]}"), name)
