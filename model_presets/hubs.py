"""Presets on the Hugging Face Hub and on Kaggle, through their own libraries.

Both use the user's token and keep what they download in their own cache.
"""

import importlib
import re
from pathlib import Path
from types import ModuleType

from model_presets.layout import PATTERNS

HUGGING_FACE, KAGGLE = "hf://", "kaggle://"
LIBRARIES = {HUGGING_FACE: "huggingface_hub", KAGGLE: "kagglehub"}
FORMS = {
    HUGGING_FACE: "hf://OWNER/NAME",
    KAGGLE: "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION",
}
_NAME = r"[\w.-]+"
_SHAPES = {
    HUGGING_FACE: re.compile(f"{_NAME}/{_NAME}"),
    KAGGLE: re.compile(rf"{_NAME}/{_NAME}/{_NAME}/{_NAME}(/\d+)?"),
}


def is_address(preset: str) -> bool:
    """Whether a preset is named by its address on a hub, which may be malformed."""
    return "://" in preset


def parse(address: str) -> tuple[str, str]:
    """The hub, ``HUGGING_FACE`` or ``KAGGLE``, and the name on it.

    Raises:
        ValueError: the address has another form.
    """
    for hub, shape in _SHAPES.items():
        name = address.removeprefix(hub).strip("/")
        if address.startswith(hub) and shape.fullmatch(name):
            return hub, name
    raise ValueError(f"{address}: not the address of a model. Give {' or '.join(FORMS.values())}.")


def library(hub: str) -> ModuleType:
    """The library of a hub, imported here because most uses need none.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    return importlib.import_module(LIBRARIES[hub])


def download(address: str) -> Path:
    """The folder of a preset on a hub, downloaded unless it is in the cache.

    Raises:
        ValueError: the address has another form.
        ModuleNotFoundError: the library of the hub is not installed.
        Exception: what the library raises: offline, refused, not found.

    Example:
        >>> download("hf://somebody/faces").name
        'd2d9d0c4bb7a5e1a2a8b8a6f1c0b6a3b7d5f1e22'
    """
    hub, name = parse(address)
    if hub == HUGGING_FACE:
        return Path(library(hub).snapshot_download(name, allow_patterns=list(PATTERNS)))
    return Path(library(hub).model_download(name))


def upload(address: str, folder: Path) -> None:
    """Upload all files of a folder; on Hugging Face, a repository is made if there is none.

    Raises:
        ValueError: the address has another form.
        ModuleNotFoundError: the library of the hub is not installed.
        Exception: what the library raises: offline, refused, no token.
    """
    hub, name = parse(address)
    if hub == HUGGING_FACE:
        api = library(hub).HfApi()
        api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=str(folder), commit_message="Upload a preset")
    else:
        library(hub).model_upload(name, str(folder))
