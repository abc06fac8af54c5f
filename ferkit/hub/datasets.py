"""Downloads datasets from Kaggle and the Hugging Face Hub.

The libraries of the two do the work: with the user's token, into their own cache.
"""

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ferkit.errors import UserError, nearest
from ferkit.hub.errors import HUGGING_FACE, KAGGLE, Hub, hub_errors


@dataclasses.dataclass(frozen=True)
class _Source:
    """One kind of address: its hub, the library to import, and the call that downloads a name."""

    hub: Hub
    library: str
    download: Callable[[ModuleType, str], str]
    example: str


_SOURCES = {
    "kaggle": _Source(
        KAGGLE,
        "kagglehub",
        lambda kagglehub, name: kagglehub.dataset_download(name),
        "kaggle:msambare/fer2013",
    ),
    "kaggle-competition": _Source(
        KAGGLE,
        "kagglehub",
        lambda kagglehub, name: kagglehub.competition_download(name),
        "kaggle-competition:NAME",
    ),
    "hf": _Source(
        HUGGING_FACE,
        "huggingface_hub",
        lambda huggingface_hub, name: huggingface_hub.snapshot_download(name, repo_type="dataset"),
        "hf:OWNER/NAME",
    ),
}
ADDRESSES = ", ".join(source.example for source in _SOURCES.values())


def download_dataset(address: str) -> Path:
    """Downloads a dataset, unless the cache of its hub has it, and returns its folder.

    Args:
        address: "kaggle:OWNER/NAME", "kaggle-competition:NAME" or "hf:OWNER/NAME".

    Raises:
        UserError: the address is not one of these; there was no connection; the hub refused access
            or has no such dataset; or the disk is full.
        ModuleNotFoundError: the library of the hub is not installed.

    Example:
        >>> download_dataset("kaggle:msambare/fer2013").name
        '1'
    """
    where = f"--from {address}"
    kind, colon, name = address.partition(":")
    source = _SOURCES.get(kind)
    if source is None or not name.strip("/"):
        problem = "unknown hub" if colon and source is None else "not an address of a dataset"
        advice = f"give one of {ADDRESSES}"
        raise UserError(where, f"{problem}{'' if source else nearest(kind, _SOURCES)}", advice)
    library = importlib.import_module(source.library)  # here: only what is asked for
    with hub_errors(where, source.hub):
        return Path(source.download(library, name.strip("/")))
