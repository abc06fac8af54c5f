"""Downloads and uploads models, with one line for what a hub refuses."""

import importlib.util
from pathlib import Path

from ferkit.errors import UserError, not_installed
from ferkit.hub.errors import HUGGING_FACE, KAGGLE, Hub, hub_errors
from model_presets import hubs

_HUBS = {hubs.HUGGING_FACE: HUGGING_FACE, hubs.KAGGLE: KAGGLE}
_INSTALL = '"deep-emotion-keras[hub]"'


def download_model(address: str, flag: str = "") -> Path:
    """The folder of a model on a hub, downloaded unless the cache of the hub has it.

    Args:
        address: "hf://OWNER/NAME" or "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION".
        flag: the flag that it was given with, for the error message.

    Raises:
        UserError: the address has another form; the library is not installed; there was no
            connection; or the hub refused access or has no such model.

    Example:
        >>> download_model("hf://somebody/faces", "--weights")
    """
    where = f"{flag} {address}".strip()
    with hub_errors(where, _checked_hub(address, where)):
        return hubs.download(address)


def check_upload(address: str, flag: str) -> None:
    """Check before long work that models can be uploaded: address, library and token.

    Raises:
        UserError: see ``download_model``; or the user is not logged in.
    """
    where = f"{flag} {address}"
    hub = _checked_hub(address, where)
    if hub is HUGGING_FACE:
        with hub_errors(where, hub):
            hubs.library(hubs.HUGGING_FACE).HfApi().whoami()


def upload_model(address: str, folder: Path, flag: str) -> None:
    """Upload the folder of a preset with the user's token.

    Raises:
        UserError: see ``download_model``; or there is no token.
    """
    where = f"{flag} {address}"
    with hub_errors(where, _checked_hub(address, where)):
        hubs.upload(address, folder)


def _checked_hub(address: str, where: str) -> Hub:
    """The hub of an address whose library is installed."""
    try:
        prefix, _ = hubs.parse(address)
    except ValueError as error:
        advice = f"give {' or '.join(hubs.FORMS.values())}"
        raise UserError(where, "not the address of a model", advice) from error
    library = hubs.LIBRARIES[prefix]
    if importlib.util.find_spec(library) is None:
        raise not_installed(where, library, _INSTALL)
    return _HUBS[prefix]
