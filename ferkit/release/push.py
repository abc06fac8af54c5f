"""Uploads a release to the Hugging Face Hub or Kaggle, as a preset."""

import tempfile
from pathlib import Path

from ferkit.hub.models import upload_model
from model_presets.archive import unpack

FLAG = "--push"


def push_release(file: Path, address: str) -> list[str]:
    """Upload weights, configuration, model card, figures and compiled file of a release.

    Args:
        file: NAME.keras, with NAME.md, NAME.json and perhaps NAME.tflite beside it.
        address: "hf://OWNER/NAME" or "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION".

    Returns:
        The names of the uploaded files.

    Raises:
        UserError: there was no connection, or the hub refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        unpack(file, Path(folder))
        upload_model(address, Path(folder), FLAG)
        return sorted(path.name for path in Path(folder).iterdir())
