"""Between the folder of a preset and a .keras file, without Keras."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from model_presets.layout import ARCHIVED, CARD, CONFIG, FIGURES, WEIGHTS, WEIGHTS_SHA256, sha256

_DATE = (1980, 1, 1, 0, 0, 0)  # the same preset gives the same archive


def read_config(folder: Path, preset: str) -> dict[str, Any]:
    """The configuration in the folder of a preset.

    Raises:
        ValueError: it is not one; names `preset`.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if isinstance(config["config"], dict):
            return dict(config)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ValueError(f"{preset}: its {CONFIG} is not the configuration of a Keras model.")


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a preset from a .keras file and from the files of its release beside it.

    Args:
        archive: NAME.keras, beside which may be NAME.json, NAME.md and NAME.tflite of its release.
        folder: an existing folder.
    """
    with zipfile.ZipFile(archive) as members:
        for name in sorted(set(members.namelist()) & set(ARCHIVED)):
            (folder / name).write_bytes(members.read(name))
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config = {k: v for k, v in config.items() if k not in ("build_config", "compile_config")}
    (folder / CONFIG).write_text(json.dumps(config, indent=4), encoding="utf-8")
    for name, content in _released(archive).items():
        (folder / name).write_bytes(content)


def _released(archive: Path) -> dict[str, bytes]:
    """Name in a preset -> content of the files of a .keras file's release: figures, card, compiled.

    There are none if the figures beside the file are those of another one.
    """
    try:
        figures = json.loads(archive.with_suffix(".json").read_text(encoding="utf-8"))
        if figures["bytes"] != archive.stat().st_size:
            return {}
        with zipfile.ZipFile(archive) as members:
            digest = hashlib.sha256(members.read(WEIGHTS)).hexdigest()
        compiled = Path(figures.get("compiled", {}).get("file", "")).name
        content = json.dumps({**figures, WEIGHTS_SHA256: digest}, indent=2)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # any content may be in a file beside the model
    files = {FIGURES: content.encode()}
    for name, file in ((CARD, archive.with_suffix(".md")), (compiled, archive.parent / compiled)):
        if file.is_file():
            files[name] = file.read_bytes()
    return files


def pack(folder: Path, archive: Path) -> None:
    """Write the .keras file of a preset."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for name in ARCHIVED:
            if (folder / name).is_file():
                entry = zipfile.ZipInfo(name, _DATE)
                members.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)


def figures_of(folder: Path) -> dict[str, Any] | None:
    """The figures of a preset's release; None if it has none, or only those of other weights."""
    try:
        figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
        if figures.pop(WEIGHTS_SHA256) == sha256(folder / WEIGHTS):
            return dict(figures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # any content may be in a folder from a hub
    return None
