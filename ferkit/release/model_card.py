"""The model card of a released model: its accuracy, data, limits and intended use.

Reference: Mitchell et al., arXiv 1810.03993.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ferkit.evaluation.robustness import DEFINITION, robustness_means, summary
from ferkit.evaluation.selective import sets_text, thresholds_text
from ferkit.hub.card_metadata import metadata_block
from ferkit.input_pipeline.learned import learned_note
from ferkit.release.calibration import MIN_IMAGES

WIDTH = 100

FER2013 = """
FER2013 (Goodfellow et al., arXiv 1307.0414): faces found by web search for emotion words, 48x48
gray pixels, with noisy labels: people label two of three images correctly. Some images show no
face. Many are duplicates of each other, so every accuracy is also given for images that duplicate
no training image. The dataset was collected for research, and the photos belong to others. Kaggle
distributes it under its competition's rules; no license covers the photos. This file contains none
of them.
"""
OTHER_DATA = "See the terms of the dataset. This file contains none of its images."
VOTES = """
The training targets include FER+ votes (Barsoum et al., arXiv 1608.01041; Microsoft's FERPlus, MIT
license). This is **extra supervision**: mention it when you compare with models trained on
FER2013's labels only. Accuracy refers to FER2013's labels.
"""
TEACHER = """
A part of the training targets are predictions of other models, see `teacher` below: their training
data count here too.
"""
USE = (
    "Intended use: research on facial expression recognition, teaching, and demonstrations on "
    "faces of people who agreed to it.",
    "It predicts the expression that annotators would see in a picture. This is not what a person "
    "feels: one face can mean many "
    "things, and annotators differ by culture.",
    "Not for judging, selecting, grading, policing or selling to people by their faces, hidden "
    "observation, or medical and legal "
    "decisions. In the European Union, the AI Act prohibits emotion recognition at work and in "
    "schools, except for medical and "
    "safety reasons.",
)
LIMITS = (
    "The model was trained on frontal, cropped faces of {side}x{side} pixels, {colors}. Other "
    "crops, profiles, masks, poor light "
    "and blur reduce its accuracy; {robustness}.",
    'It always predicts one of {classes}; it cannot answer "no face" or "none of these".',
    "Rare classes are recognized worst (see recall above). Web images over-represent some ages, "
    "skin colors and posed faces. "
    "Accuracy by group has not been measured, since the dataset does not contain groups.",
)
CHOSEN_HERE = (
    "The epoch, the recipe and the temperature were chosen on the images of this evaluation, so "
    "the figures are slightly "
    "optimistic. The held-out calibration error is not: it is fitted on one half and measured on "
    "the other."
)
NO_TEMPERATURE = (
    "Temperature 1: no temperature was fitted, because the {split} split has only {images:,} "
    "images that the model has not learned, and at least {least} are needed."
)
UNKNOWN_TRAINING = "The file was released without its run folder: its training is unknown."
SHARES = (
    ("accuracy, all images", "accuracy"),
    ("accuracy, without duplicates of training images", "accuracy_clean"),
    ("balanced accuracy", "balanced_accuracy"),
    ("macro F1", "macro_f1"),
    ("expected calibration error, 15 bins", "expected_calibration_error"),
)


Figures = dict[str, Any]


def model_card(figures: Figures) -> str:
    """The card as Markdown.

    Args:
        figures: the figures of ``release.release``.
    """
    name, split = figures["name"], figures["split"]
    steps = [
        *reversed(figures["training_before"]),
        *([figures["training"]] if figures["training"] else []),
    ]
    given = f"--weights {name}" if figures["ships"] else f"--weights {name}.keras"
    parts = [
        metadata_block(figures),
        f"# {name}",
        _wrapped(_what(figures)),
        f"    python main.py evaluate -d DIR {given} --split {split} --tta flip",
        "## Accuracy",
        _wrapped(_measured_on(figures)),
        _shares(figures),
        "For each class, one view:",
        _per_class(figures["plain"]["per_class"]),
        "## Calibration",
        _wrapped(_calibration(figures)),
        *(_selective(figures["selective"]["plain"]) if "selective" in figures else ()),
        *(_robustness(figures["robustness"]) if "robustness" in figures else ()),
        *(_compiled(figures) if "compiled" in figures else ()),
        "## Data",
        *_data(figures, {key for step in steps for key in step.get("How", {})}),
        "## Intended use",
        _bullets(USE),
        "## Limits",
        _bullets(_limits(figures)),
        *(_trainings(steps) if steps else ["## Training", UNKNOWN_TRAINING]),
        "## Release",
        _table(["", ""], [[key, str(value)] for key, value in figures["released"].items()]),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _what(figures: Figures) -> str:
    model = figures["model"]
    half = ", kernels stored in half precision" if figures["half_precision"] else ""
    return (
        f"A {model['model']} model with {model['parameters']:,} parameters and "
        f"{model['multiply_adds'] / 1e6:.1f} M "
        f"multiply-adds per face; {figures['bytes']:,} bytes{half}. Input: pixels from 0 to 255, "
        f"{'x'.join(map(str, model['input']))}. Output: logits of "
        f"{', '.join(figures['data']['class_names'])}."
        + "".join(
            f" {name[0].upper()}{name[1:]}: {value}."
            for name, value in figures.get("measurements", {}).items()
        )
    )


def _measured_on(figures: Figures) -> str:
    data, plain = figures["data"], figures["plain"]
    public = data["dataset"] == "fer2013" and data["val_from"] == "source"
    where = f"the {figures['split']} split{' (PublicTest)' if public else ''}"
    return (
        f"Measured on {where}: {plain['count']:,} images, with 95 % bootstrap intervals in "
        f"brackets. {learned_note(plain)}"
    )


def _shares(figures: Figures) -> str:
    rows = [
        [title, *(_with_interval(figures[view], key) for view in ("plain", "flip"))]
        for title, key in SHARES
    ]
    return _table(["", "one view", "flip-averaged (`--tta flip`)"], rows)


def _with_interval(figures: Figures, key: str) -> str:
    value, interval = figures[key], figures.get(f"{key}_interval")
    if value is None:
        return "none" if figures["count_clean"] == 0 else "unknown"
    return f"{value:.2%}" + (f" [{interval[0]:.2%}, {interval[1]:.2%}]" if interval else "")


def _per_class(classes: dict[str, dict[str, float]]) -> str:
    rows = [
        [
            label,
            *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")),
            f"{row['support']:,}",
        ]
        for label, row in classes.items()
    ]
    return _table(["class", "precision", "recall", "F1", "images"], rows)


def _calibration(figures: Figures) -> str:
    if figures["calibration_errors_held_out"] is None:
        return NO_TEMPERATURE.format(
            split=figures["split"], images=figures["calibration_images"], least=MIN_IMAGES
        )
    first, second = figures["calibration_errors_held_out"]
    perfect, perfect_flip = figures["calibration_errors_if_perfect"]
    text = (
        f"Temperature {figures['temperature']:.3f} (arXiv 1706.04599), fitted on the "
        f"{figures['split']} split for one view and "
        "the flip average together, and merged into the last layer, so that the model's "
        "probabilities are calibrated. "
        f"Expected calibration error of one view before: "
        f"{figures['calibration_error_before']:.2%}. Fitted on one half of the "
        f"split and measured on the other, mean over 20 random halvings: {first:.2%} with one "
        f"view, {second:.2%} flip-averaged. "
        f"With so few images, a perfectly calibrated model would measure {perfect:.2%} and "
        f"{perfect_flip:.2%} (labels drawn "
        "from its own probabilities)."
    )
    if figures["half_precision"]:
        text += (
            f" Half precision changes logits by at most {figures['largest_difference']:.4f}; the "
            f"accuracy is "
            f"{figures['accuracy_before']:.2%} before release and "
            f"{figures['plain']['accuracy']:.2%} after."
        )
    return text


def _selective(selective: Figures) -> Iterator[str]:
    points = ", ".join(
        f"{row['error']:.1%} at {row['coverage']:.0%}" for row in selective["risk_coverage"]
    )
    yield "## When not to answer"
    yield _wrapped(
        f"One view of the {selective['images']:,} images of the same split that duplicate no "
        "training image and that the model has not learned. Error among the most confident "
        f"predictions, by the fraction that is answered: {points}; area under the curve "
        f"{selective['area_under_risk_coverage']:.3f}. Confidence for a maximum error "
        f"(`predict --max-error X`), each kept with {selective['certainty']:.0%} certainty "
        f"(arXiv 1705.08500): {thresholds_text(selective['thresholds'])}. Split-conformal "
        "prediction sets (arXiv 2107.07511), fitted on one half and measured on the other, mean "
        f"over 20 random halvings: {sets_text(selective['conformal'])}. All of this holds for "
        "faces like the measured images only."
    )


def _robustness(robustness: Figures) -> Iterator[str]:
    clean = robustness["clean"]
    yield "## Robustness"
    yield _wrapped(
        f"One view of {robustness['images']:,} images of the same split, drawn at random (seed "
        f"{robustness['seed']}) and corrupted in five severities (mirrored: in one), which "
        f"`ferkit/evaluation/corruptions.py` describes: {summary(robustness)}. {DEFINITION} "
        f"Confident: predictions with a probability of at least {robustness['threshold']:.0%}; "
        f"`predict` marks the others as unsure."
    )
    heads = ["corruption", "accuracy, severity 1", "severity 3", "severity 5", "mean"]
    heads += ["calibration error, mean", "confident, mean"]
    clean_row = ["none", "", "", "", *_percents(clean)]
    yield _table(heads, [clean_row, *_corruption_rows(robustness)])


def _corruption_rows(robustness: Figures) -> Iterator[list[str]]:
    for name, means in robustness_means(robustness).items():
        levels = {
            level["severity"]: f"{level['accuracy']:.1%}"
            for level in robustness["corruptions"][name]
        }
        shown = [levels.get(severity, "") for severity in (1, 3, 5)]
        yield [name.replace("_", " "), *shown, *_percents(means)]


def _percents(row: dict[str, float]) -> list[str]:
    keys = ("accuracy", "expected_calibration_error", "above_threshold")
    return [f"{row[key]:.1%}" for key in keys]


def _robustness_limit(figures: Figures) -> str:
    """The largest falls of accuracy in a few words, for the sentence in ``LIMITS``."""
    if "robustness" not in figures:
        return "by how much has not been measured"
    means = robustness_means(figures["robustness"])
    worst = sorted(means, key=lambda name: means[name]["accuracy"])[:3]
    falls = [f"{name.replace('_', ' ')} ({means[name]['accuracy']:.1%})" for name in worst]
    clean = figures["robustness"]["clean"]["accuracy"]
    return (
        f"the largest falls, from {clean:.1%} to a mean over the severities, are those by "
        f"{', '.join(falls[:-1])} and {falls[-1]}, see Robustness"
    )


def _compiled(figures: Figures) -> Iterator[str]:
    compiled = figures["compiled"]
    yield "## Compiled file"
    yield _wrapped(
        f"`{compiled['file']}` runs in LiteRT without TensorFlow: {compiled['bytes']:,} bytes, "
        f"kernels in {compiled['kernels']}, sha256 {compiled['sha256']}. It predicts the same "
        f"label as the Keras file on {compiled['same_label']:.2%} of the {compiled['count']:,} "
        f"images above."
    )
    rows = [
        (title, compiled[key], compiled[f"{key}_keras"])
        for title, key in (
            ("accuracy, one view", "accuracy"),
            ("accuracy, flip-averaged", "accuracy_flip"),
            ("expected calibration error, one view", "expected_calibration_error"),
        )
    ]
    yield _table(["", "compiled", "Keras"], [[t, f"{a:.2%}", f"{b:.2%}"] for t, a, b in rows])


def _data(figures: Figures, how: set[str]) -> Iterator[str]:
    data = figures["data"]
    trained = figures.get("trained_on", {"datasets": [], "complete": False})
    kinds = {data["dataset"], *(entry["dataset"] for entry in trained["datasets"])}
    if "fer2013" in kinds:
        yield FER2013
    if kinds != {"fer2013"}:
        yield OTHER_DATA
    yield _wrapped(_trained_on(data, trained))
    if how & {"vote_weight", "soft_labels"}:  # the second is the name of version 0.1
        yield VOTES
    if "teacher" in how:
        yield TEACHER


def _trained_on(data: dict[str, Any], trained: dict[str, Any]) -> str:
    """What the weights were trained on: by their own record, not by the dataset they are on."""
    rows, sources = data["rows"], ", ".join(data["taken"])
    only_this = trained.get("this_dataset") and len(trained["datasets"]) == 1
    if only_this and trained["complete"]:
        fer2013 = data["dataset"] == "fer2013"
        return (
            f"Trained on {rows.get('train', 0):,} images, selected on {rows.get('val', 0):,}; "
            f"prepared from {sources}.{' PrivateTest was not used.' if fer2013 else ''}"
        )
    known = trained.get("text", "not recorded")
    return f"Training data of these weights: {known}. Measured on images prepared from {sources}."


def _limits(figures: Figures) -> Iterator[str]:
    yield from (text.format(**_about_input(figures)) for text in LIMITS)
    if figures["calibration_errors_held_out"] is not None:
        yield CHOSEN_HERE


def _about_input(figures: Figures) -> dict[str, Any]:
    side, _, channels = figures["model"]["input"]
    classes = ", ".join(figures["data"]["class_names"])
    return {
        "side": side,
        "colors": "gray" if channels == 1 else "color",
        "classes": classes,
        "robustness": _robustness_limit(figures),
    }


def _trainings(steps: Sequence[dict[str, Any]]) -> Iterator[str]:
    for number, step in enumerate(steps, start=1):
        which = f", step {number} of {len(steps)}" if len(steps) > 1 else ""
        yield from (f"## Training{which}", _sections(step))


def _sections(training: dict[str, Any]) -> str:
    rows = [
        [f"{title.lower()}: {key}", value]
        for title, section in training.items()
        for key, value in section.items()
    ]
    return _table(["", ""], rows)


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH)


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ") for text in texts
    )
