"""A model card: what a released model is, how good, on what, and what it must not be used for (arXiv 1810.03993)."""

import textwrap

WIDTH = 130

FER2013 = """
FER2013 (Goodfellow et al., arXiv 1307.0414): faces found by web search for emotion words, 48x48 gray pixels, noisily labelled:
people get two images of three right. Some images are no faces; many are copies of each other, which is why every accuracy here
stands beside that on images that copy no training image. Collected for research; the photos belong to others. Kaggle hands it out
under its competition's rules, and no licence covers the photos. None of them is in this file.
"""
OTHER_DATA = "See the dataset's own terms. None of its images is in this file."
VOTES = """
The training targets were mixed with FER+ votes (Barsoum et al., arXiv 1608.01041; Microsoft's FERPlus, MIT licence): **extra
supervision** that a comparison with models trained on FER2013's labels alone must name. Accuracy is against FER2013's labels.
"""
TEACHER = """
Part of the training targets came from other trained models, see `teacher` below: what they were trained on counts here too.
"""
USE = (
    "For: studying facial expression recognition, teaching, and demonstrations on faces of people who agreed.",
    "It names the expression that annotators would see in a picture. That is not what a person feels: one face stands for many "
    "states, and annotators differ by culture.",
    "Not for: judging, selecting, grading, policing or selling to people by their faces, hidden observation, medical or legal "
    "decisions. In the European Union the AI Act forbids emotion recognition at work and in schools, but for medical and safety "
    "reasons.",
)
LIMITS = (
    "It knows frontal, cropped faces of {side}x{side} pixels, {colours}. Another crop, profile, mask, dark light or blur make it "
    "worse, by how much was not measured.",
    'It always answers one of {classes}; it has no answer "no face" or "none of these".',
    "Rare classes are recognized worst (see recall above). Web images over-represent some ages, skin colours and posed faces; "
    "accuracy by group was not measured, since the data do not name groups.",
    "The epoch, the recipe and the temperature were chosen on the images that it is measured on here, so the figures are "
    "a little too good. The calibration error in halves is not: fitted on one half, measured on the other.",
)
UNKNOWN_TRAINING = "The file was released without its run folder: how it was trained is not known."
SHARES = (
    ("accuracy, all images", "accuracy"),
    ("accuracy, images that copy no training image", "accuracy_clean"),
    ("balanced accuracy", "balanced_accuracy"),
    ("macro F1", "macro_f1"),
    ("expected calibration error, 15 bins", "expected_calibration_error"),
)


def model_card(figures: dict) -> str:
    """The card, as Markdown.

    Args:
        figures: of ``release.release``.
    """
    name, split = figures["name"], figures["split"]
    steps = [
        *reversed(figures["training_before"]),
        *([figures["training"]] if figures["training"] else []),
    ]
    given = f"--weights {name}" if figures["ships"] else f"--checkpoint {name}.keras"
    parts = [
        f"# {name}",
        _wrapped(_what(figures)),
        f"    python main.py evaluate -d DIR {given} --split {split} --tta flip",
        "## How well",
        _wrapped(_measured_on(figures)),
        _shares(figures),
        "Per class, one view:",
        _per_class(figures["plain"]["per_class"]),
        "## Calibration",
        _wrapped(_calibration(figures)),
        "## Data",
        *_data(figures["data"], {key for step in steps for key in step.get("How", {})}),
        "## Use and misuse",
        _bullets(USE),
        "## Limits",
        _bullets(text.format(**_about_input(figures)) for text in LIMITS),
        *(_trainings(steps) if steps else ["## Training", UNKNOWN_TRAINING]),
        "## Released",
        _table(["", ""], [[key, str(value)] for key, value in figures["released"].items()]),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _what(figures):
    model = figures["model"]
    half = ", kernels stored in half precision" if figures["half_precision"] else ""
    return (
        f"A {model['model']} model of {model['parameters']:,} parameters and {model['multiply_adds'] / 1e6:.1f} M multiply-adds "
        f"a face; {figures['bytes']:,} bytes{half}. Pixels 0 to 255 in, {'x'.join(map(str, model['input']))}; logits of "
        f"{', '.join(figures['data']['class_names'])} out."
    )


def _measured_on(figures):
    public = figures["data"]["dataset"] == "fer2013" and figures["data"]["val_from"] == "source"
    where = f"the {figures['split']} split{' (PublicTest)' if public else ''}"
    return (
        f"On {where}: {figures['plain']['count']:,} images. In brackets 95 % bootstrap intervals."
    )


def _shares(figures):
    rows = [
        [title, *(_with_interval(figures[view], key) for view in ("plain", "flip"))]
        for title, key in SHARES
    ]
    return _table(["", "one view", "averaged over mirror images (`--tta flip`)"], rows)


def _with_interval(figures, key):
    value, interval = figures[key], figures.get(f"{key}_interval")
    if value is None:
        return "unknown"
    return f"{value:.2%}" + (f" [{interval[0]:.2%}, {interval[1]:.2%}]" if interval else "")


def _per_class(classes):
    rows = [
        [
            label,
            *(f"{own[key]:.1%}" for key in ("precision", "recall", "f1")),
            f"{own['support']:,}",
        ]
        for label, own in classes.items()
    ]
    return _table(["class", "precision", "recall", "F1", "images"], rows)


def _calibration(figures):
    first, second = figures["calibration_errors_held_out"]
    least, least_of_two = figures["calibration_errors_if_perfect"]
    text = (
        f"Temperature {figures['temperature']:.3f} (arXiv 1706.04599), fitted on the {figures['split']} split, for one view and "
        "for the average over mirror images together, and folded into the last layer: the model's probabilities are the "
        f"calibrated ones. Expected calibration error of one view before: {figures['calibration_error_before']:.2%}. Fitted on "
        f"one half of the split and measured on the other, mean over 20 halvings: {first:.2%} with one view, {second:.2%} with "
        f"two. A half has few images: a perfectly calibrated model would measure {least:.2%} and {least_of_two:.2%} there, as "
        "labels drawn from the probabilities themselves show."
    )
    if figures["half_precision"]:
        text += (
            f" Half precision changes logits by {figures['largest_difference']:.4f} at most; accuracy before release "
            f"{figures['accuracy_before']:.2%}, after {figures['plain']['accuracy']:.2%}."
        )
    return text


def _data(data, how):
    rows, is_fer = data["rows"], data["dataset"] == "fer2013"
    taken = ", ".join(data["taken"])
    counts = f"Trained on {rows.get('train', 0):,} images, chosen on {rows.get('val', 0):,}; set up from {taken}."
    yield FER2013 if is_fer else OTHER_DATA
    yield counts + (" PrivateTest was not used for anything." if is_fer else "")
    if "vote_weight" in how:
        yield VOTES
    if "teacher" in how:
        yield TEACHER


def _about_input(figures):
    side, _, channels = figures["model"]["input"]
    classes = ", ".join(figures["data"]["class_names"])
    return {"side": side, "colours": "gray" if channels == 1 else "colour", "classes": classes}


def _trainings(steps):
    for number, step in enumerate(steps, start=1):
        which = f", step {number} of {len(steps)}" if len(steps) > 1 else ""
        yield from (f"## Training{which}", _sections(step))


def _sections(training):
    rows = [
        [f"{title.lower()}: {key}", value]
        for title, section in training.items()
        for key, value in section.items()
    ]
    return _table(["", ""], rows)


def _table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _wrapped(text):
    return textwrap.fill(text, WIDTH)


def _bullets(texts):
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ") for text in texts
    )
