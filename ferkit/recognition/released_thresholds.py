"""The confidence thresholds for a wanted error, which `release` stores beside the weights."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ferkit.errors import UserError


def threshold_for(file: Path, max_error: float, mirror: bool = False) -> float:
    """The confidence below which a label is unsure, so that at most `max_error` are wrong.

    It is that of the largest measured error of at most `max_error`.

    Args:
        file: NAME.keras or NAME.tflite of a release, with its figures NAME.json beside it.
        max_error: fraction of wrong labels, between 0 and 1.
        mirror: predictions are averaged over the face and its mirror image.

    Raises:
        UserError: `max_error` is out of range, the file is not of a release with thresholds, or
            none of them has so small an error.

    Example:
        >>> threshold_for(Path("released/mine.keras"), 0.2)
        0.58
    """
    flag = f"--max-error {max_error:g}"
    if not 0 < max_error < 1:  # nor nan
        raise UserError(flag, "out of range", "give a number between 0 and 1, such as 0.2")
    try:
        found = _measured(file, "flip" if mirror else "plain")
    except Exception as error:  # any: it is a file beside the model, of any content
        advice = "give --max-error only with released weights and their NAME.json beside them"
        raise UserError(flag, f"{file} has no measured thresholds", advice) from error
    fitting = [limit for limit in found if limit <= max_error + 1e-9]
    if not fitting:
        least = f"give at least {min(found):g}" if found else "omit --max-error"
        raise UserError(flag, f"{file} has no threshold for so small an error", least)
    return found[max(fitting)]


def _measured(file: Path, view: str) -> dict[float, float]:
    """Maximum error -> threshold, of the errors that have one."""
    figures = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    if not _is_released(file, figures):
        raise ValueError("another file of the same name")
    rows = figures["selective"][view]["thresholds"]
    return {
        float(row["max_error"]): float(row["threshold"])
        for row in rows
        if row["threshold"] is not None
    }


def _is_released(file: Path, figures: dict[str, Any]) -> bool:
    """Whether the figures are those of this file, and not of an earlier one of the same name."""
    if file.suffix == ".keras":
        return bool(figures["bytes"] == file.stat().st_size)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return bool(figures["compiled"]["sha256"] == digest)
