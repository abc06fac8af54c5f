"""Robustness of a model: its accuracy, calibration and confidence on corrupted images."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from ferkit.evaluation.compiled_classifier import CompiledClassifier
from ferkit.evaluation.corruptions import CORRUPTIONS, corrupted, severities
from ferkit.evaluation.evaluate import combine_views, views_of
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import expected_calibration_error, softmax
from ferkit.input_pipeline.dataset import Split

DEFAULT_IMAGES = 1000
READ_TOGETHER = 256  # images that are read and corrupted at a time
KEYS = ("accuracy", "expected_calibration_error", "above_threshold")

CLEAN = ("clean", 0)
Condition = tuple[str, int]  # name of the corruption and severity
DEFINITION = (
    "The accuracy with each corruption is averaged over its severities, then over the corruptions, "
    "and divided by the accuracy on the same images without corruption. This follows Hendrycks and "
    "Dietterich, arXiv 1903.12261, who divide by the errors of another model instead."
)


def measure_robustness(
    model: keras.Model | CompiledClassifier,
    split: Split,
    threshold: float,
    count: int = DEFAULT_IMAGES,
    tta: str = "none",
    batch_size: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Figures of a model on images with every corruption in every severity, as JSON values.

    Args:
        model: a model of pixels in [0, 255].
        split: rows with labels.
        threshold: confidence from which a prediction counts as sure, in [0, 1].
        count: images, drawn at random without replacement; all if the split has no more.
        tta: as for ``evaluate.logits_per_view``.
        batch_size: images per batch.
        seed: of the images and of the corruptions.

    Returns:
        ``clean`` and each severity of ``corruptions[name]``, a list, hold "accuracy",
        "expected_calibration_error" and "above_threshold", the fraction of images with a confidence
        of at least `threshold`. ``mean_accuracy`` and ``relative_accuracy`` are explained in
        ``DEFINITION``; the latter is None if no clean image is predicted correctly.

    Example:
        >>> figures = measure_robustness(model, split, threshold=0.4, count=200)
        >>> round(figures["relative_accuracy"], 2)
        0.83
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(split))[:count])
    labels = split.labels[rows]
    logits = _logits(model, split, rows, tta, batch_size, seed)
    figures = {key: _figures(values, labels, threshold) for key, values in logits.items()}
    clean = figures[CLEAN]
    corruptions = {
        name: [{"severity": level, **figures[name, level]} for level in severities(name)]
        for name in CORRUPTIONS
    }
    mean = float(np.mean([_mean(levels, "accuracy") for levels in corruptions.values()]))
    return {
        "images": len(rows),
        "seed": seed,
        "tta": tta,
        "threshold": threshold,
        "clean": clean,
        "mean_accuracy": mean,
        "relative_accuracy": mean / clean["accuracy"] if clean["accuracy"] else None,
        "corruptions": corruptions,
    }


def format_robustness(figures: dict[str, Any]) -> str:
    """The figures of ``measure_robustness`` as a table for the terminal."""
    clean = figures["clean"]
    lines = [
        f"Robustness, {figures['images']:,} images drawn at random (seed {figures['seed']}); "
        "accuracy for each severity, and means over the severities",
        f"  {'corruption':<15}" + "".join(f"{level:>8}" for level in range(1, 6)) + f"{'mean':>9}"
        f"{'calibration error':>19}{'confidence >= ' + format(figures['threshold'], '.0%'):>19}",
        f"  {'none':<15}{'':40}{_percents(clean)}",
    ]
    for name, means in robustness_means(figures).items():
        levels = "".join(f"{level['accuracy']:>8.1%}" for level in figures["corruptions"][name])
        lines.append(f"  {name.replace('_', ' '):<15}{levels:<40}{_percents(means)}")
    lines.append(f"  {summary(figures)}")
    return "\n".join(lines)


def robustness_means(figures: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Name of each corruption -> its accuracy, calibration error and fraction above the threshold.

    Args:
        figures: those of ``measure_robustness``.

    Returns:
        Means over the severities, with the keys ``KEYS``.
    """
    return {
        name: {key: _mean(levels, key) for key in KEYS}
        for name, levels in figures["corruptions"].items()
    }


def summary(figures: dict[str, Any]) -> str:
    """Mean accuracy with corruptions and the relative accuracy, in words."""
    relative, clean = figures["relative_accuracy"], figures["clean"]["accuracy"]
    ratio = "unknown" if relative is None else f"{relative:.1%}"
    return (
        f"mean accuracy with corruptions {figures['mean_accuracy']:.1%}, which is {ratio} of the "
        f"{clean:.1%} without"
    )


def _percents(row: dict[str, float]) -> str:
    return f"{row[KEYS[0]]:>9.1%}{row[KEYS[1]]:>19.1%}{row[KEYS[2]]:>19.1%}"


def _mean(levels: list[dict[str, float]], key: str) -> float:
    return float(np.mean([level[key] for level in levels]))


def _conditions() -> Iterator[Condition]:
    yield CLEAN
    for name in CORRUPTIONS:
        for level in severities(name):
            yield name, level


def _logits(
    model: keras.Model | CompiledClassifier,
    split: Split,
    rows: np.ndarray,
    tta: str,
    batch_size: int | None,
    seed: int,
) -> dict[Condition, np.ndarray]:
    """Logits ``(len(rows), classes)`` for each condition. Every image is read once."""
    function = BatchedLogits(model, split.images.shape[1:])
    parts: dict[Condition, list[np.ndarray]] = {condition: [] for condition in _conditions()}
    with tqdm(
        total=len(rows) * len(parts), desc="corruptions", unit="image", disable=None, leave=False
    ) as bar:
        for start in range(0, len(rows), READ_TOGETHER):
            indices = rows[start : start + READ_TOGETHER]
            images = split.images[indices]
            for name, level in parts:
                is_clean = (name, level) == CLEAN
                seen = images if is_clean else corrupted(images, name, level, indices, seed)
                views = views_of(function, seen, tta, batch_size)
                parts[name, level].append(combine_views(views))
                bar.update(len(indices))
    return {condition: np.concatenate(arrays) for condition, arrays in parts.items()}


def _figures(logits: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, float]:
    probabilities = softmax(logits)
    return {
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
        "above_threshold": float((probabilities.max(axis=1) >= threshold).mean()),
    }
