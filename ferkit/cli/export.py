"""The labelled images that an export is measured by."""

from pathlib import Path

from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import load_split
from generate_data.manifest import MANIFEST, read_manifest

DEFAULT = Path("data")
SPLIT = "val"


def validation_split(model, checkpoint: Path, data: str | None):
    """The val split of the dataset that the user named; of data/ where it fits, if none was named.

    Args:
        model: the Keras model, whose classes the dataset must have.
        checkpoint: the model's file.
        data: the dataset's folder, or None.

    Returns:
        The ``Split`` or None, and the reason for None.

    Raises:
        UserError: the dataset that was named has other classes.
        generate_data.errors.DataError: it is none.
    """
    folder = Path(data or DEFAULT)
    if data is None and not (folder / MANIFEST).is_file():
        return None, f"no dataset in {folder}/; give one with -d DIR."
    manifest = read_manifest(folder)
    if tuple(manifest.class_names) != tuple(model.class_names):
        if data is None:
            return (
                None,
                f"the dataset in {folder}/ has other classes; give one that fits with -d DIR.",
            )
        raise UserError(
            f"{folder}: has the classes {', '.join(manifest.class_names)}, and {checkpoint} knows "
            f"{', '.join(model.class_names)}; give another dataset."
        )
    return load_split(folder, SPLIT, manifest, *model.input_shape[2:]), ""
