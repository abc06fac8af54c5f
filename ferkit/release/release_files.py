"""Which files a release may replace: those of an earlier release, unless --force is given."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ferkit.errors import UserError
from ferkit.hub.card_metadata import without_metadata
from ferkit.outputs import is_same_file

_FIGURES = {"name", "split", "temperature", "plain"}  # keys that the figures of a release have


def check_release_files(
    folder: str | Path, name: str, checkpoint: Path, compiled: bool, force: bool = False
) -> None:
    """Check that NAME.keras, .json, .md and .tflite are absent or those of an earlier release.

    Args:
        folder: the folder of the release.
        name: name of its files.
        checkpoint: the model that is released, which is never replaced.
        compiled: whether NAME.tflite is written.
        force: allow to replace files of others.

    Raises:
        UserError: a file would be replaced that this program did not release.
    """
    base = Path(folder) / name
    suffixes = (".keras", ".json", ".md", *([".tflite"] if compiled else []))
    for path in (base.with_name(name + suffix) for suffix in suffixes):
        for source in (checkpoint, checkpoint.with_suffix(".tflite")):
            if is_same_file(path, source):
                problem = "an input of the release, which it would replace"
                raise UserError(path, problem, "give another --name or --to")
        if path.exists() and not force and not is_released(path):
            problem = "exists and is not part of an earlier release"
            raise UserError(path, problem, "add --force to replace it, or give another --name")


def is_released(path: Path) -> bool:
    """Whether `path`, one of the files NAME.keras, .json, .md and .tflite, is that of a release."""
    figures = _figures(path.with_name(path.stem + ".json"))
    if path.suffix == ".md":
        text = without_metadata(path.read_text(encoding="utf-8", errors="replace"))
        return text.startswith(f"# {path.stem}\n") and "\n## Intended use\n" in text
    if path.suffix == ".keras":
        return path.stat().st_size == figures.get("bytes")
    if path.suffix == ".tflite":
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        return content == figures.get("compiled", {}).get("sha256")
    return bool(figures)


def _figures(path: Path) -> dict[str, Any]:
    """The content of NAME.json of a release; {} if it is not one."""
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return figures if isinstance(figures, dict) and set(figures) >= _FIGURES else {}
