"""The .keras file of a preset, for all that reads model files: packed once, into a cache."""

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from ferkit.errors import UserError
from ferkit.files import write_json, written_atomically
from model_presets.archive import figures_of, pack
from model_presets.layout import CARD, is_preset

_PLAIN_NAME = re.compile(r"\w[\w.-]{0,100}")


def packed_preset(folder: Path, name: str, where: str) -> Path:
    """NAME.keras of a preset, with the figures, the card and the compiled file beside it.

    Args:
        folder: the preset's folder.
        name: the name of the model, if the preset does not say it.
        where: what the user gave, for the error message.

    Raises:
        UserError: the folder is not a preset, or the cache cannot be written.
    """
    if not is_preset(folder):
        problem = "has no config.json and model.weights.h5, so it is not a preset"
        raise UserError(
            where, problem, "give the folder that save_to_preset wrote, or a model file"
        )
    figures = figures_of(folder)
    given = str(figures.get("name")) if figures else name
    stem = given if _PLAIN_NAME.fullmatch(given) else "preset"
    archive = _cache() / _checksum(folder) / f"{stem}.keras"
    if archive.is_file():
        return archive
    with written_atomically(archive) as draft:  # last: where it exists, the others do too
        pack(folder, draft)
        if (folder / CARD).is_file():
            with written_atomically(archive.with_suffix(".md")) as card:
                shutil.copyfile(folder / CARD, card)
        if figures is not None:
            _add_figures(figures | {"bytes": draft.stat().st_size}, folder, archive)
    return archive


def _add_figures(figures: dict[str, Any], folder: Path, archive: Path) -> None:
    """Write the figures, and the compiled file that they name."""
    compiled = figures.get("compiled")
    if isinstance(compiled, dict):
        source = folder / Path(str(compiled.get("file"))).name
        target = archive.with_suffix(".tflite")
        figures["compiled"] = compiled | {"file": target.name}
        if source.is_file():
            with written_atomically(target) as draft:
                shutil.copyfile(source, draft)
    write_json(archive.with_suffix(".json"), figures)


def _checksum(folder: Path) -> str:
    """A short checksum of the names and contents of the files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.iterdir() if file.is_file()):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "deep-emotion" / "presets"
