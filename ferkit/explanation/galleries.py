"""explain: sheets for photos, or a gallery of a dataset's split, with figures that say how far to
trust the maps.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.explanation.drawing import draw_sheet, explanation_panels
from ferkit.explanation.faithfulness import deletion_and_insertion, randomization
from ferkit.explanation.grad_cam import Explainer
from ferkit.files import written_atomically
from ferkit.recognition.photos import PhotoError, read_photo

CHECKED_FACES = 64  # of a gallery's split, for the figures
SHUFFLES = 5  # of the weights


def class_number(class_names, name: str | None) -> int | None:
    """The number of a class by its name; None for None.

    Raises:
        UserError: no such class.
    """
    if name is not None and name not in class_names:
        raise UserError(
            f"--class {name}: no class of this model; it has: {', '.join(class_names)}."
        )
    return None if name is None else list(class_names).index(name)


def explain_photos(
    recognizer, files: list[Path], folder: str | Path, name: str | None = None
) -> int:
    """A sheet for every photo with a face, in `folder`; how many photos could not be read.

    Args:
        recognizer: a ``Recognizer``.
        files: photos.
        folder: where NAME-explained.png are written.
        name: the class that is explained; None: the label of each face.
    """
    wanted, explainer, unreadable = (
        class_number(recognizer.class_names, name),
        Explainer(recognizer.model),
        0,
    )
    for file in tqdm(files, unit="photo", disable=len(files) < 3, leave=False):
        try:
            photo = read_photo(file)
        except PhotoError as error:
            unreadable += 1
            tqdm.write(f"{file}: unreadable: {str(error).removeprefix(f'{file}: ')}")
            continue
        found = recognizer.detector(photo)
        if not found:
            tqdm.write(f"{file}: no face found")
            continue
        faces = np.stack([recognizer.crop(photo, face) for face in found])
        probabilities = recognizer.probabilities(faces)
        classes = probabilities.argmax(axis=1) if wanted is None else np.full(len(faces), wanted)
        panels = explanation_panels(recognizer.model, faces, classes, explainer)
        words = [
            _words(recognizer.class_names, p, c)
            for p, c in zip(probabilities, classes, strict=True)
        ]
        path = Path(folder) / f"{Path(file).stem}-explained.png"
        save_sheet(
            path, draw_sheet(list(zip(words, panels, strict=True)), f"{Path(file).name}: why")
        )
        tqdm.write(f"{file}: {len(faces)} explained in {path}")
    return unreadable


def explain_split(
    model, split, folder: str | Path, per_class: int, name: str | None = None, seed: int = 0
) -> dict:
    """A gallery: a sheet for every class of a split, of faces drawn by `seed`; and the figures of
    the checks.

    Args:
        model: a Keras model of ours.
        split: a ``dataset.Split`` with labels, its images of the model's size.
        folder: where gallery-CLASS.png are written.
        per_class: faces of each.
        name: the class that is explained; None: what the model says of each face.
        seed: decides which faces.

    Returns:
        method -> {"deletion": area, ..., "randomization": correlation}.
    """
    wanted, explainer = class_number(split.class_names, name), Explainer(model)
    function, numbers = BatchedLogits(model, split.images.shape[1:]), np.random.default_rng(seed)
    for number, label in enumerate(tqdm(split.class_names, unit="class", leave=False)):
        rows = np.flatnonzero(split.labels == number)
        rows = np.sort(numbers.permutation(rows)[:per_class])
        if not len(rows):
            continue
        faces = split.images[rows]
        probabilities = softmax(function(faces).astype(np.float64))
        classes = probabilities.argmax(axis=1) if wanted is None else np.full(len(rows), wanted)
        told = zip(rows, probabilities, classes, strict=True)
        words = [
            _words(split.class_names, p, c, f"row {row}, labelled {label}: ") for row, p, c in told
        ]
        panels = explanation_panels(model, faces, classes, explainer)
        path = Path(folder) / f"gallery-{label}.png"
        save_sheet(
            path, draw_sheet(list(zip(words, panels, strict=True)), f"{split.name} split, {label}")
        )
        tqdm.write(f"{label}: {path}")
    return checked(model, split, numbers, explainer)


def checked(model, split, numbers, explainer) -> dict:
    """The figures of the checks on faces of a split."""
    rows = np.sort(numbers.permutation(len(split))[:CHECKED_FACES])
    faces = split.images[rows]
    classes = BatchedLogits(model, faces.shape[1:])(faces).argmax(axis=1)
    figures = {}
    for method in ("grad-cam", "grad-cam++"):
        maps = explainer.maps(faces, classes, method)["features"]
        curves = deletion_and_insertion(model, faces, maps, classes)
        figures[method] = {key: curve["area"] for key, curve in curves.items()}
        figures[method]["randomization"] = randomization(
            explainer, faces, classes, method, SHUFFLES
        )
    return figures


def format_faithfulness(figures: dict, count: int) -> str:
    """The figures of the checks, in words."""
    lines = [
        f"Checks on {count} faces: areas under the class's probability, in brackets that of random maps as smooth",
        f"  {'':<11} deletion (less is better)  insertion (more is better)  rank correlation with shuffled weights (0 is good)",
    ]
    for method, own in figures.items():
        deletion, insertion = (
            f"{own[kind]:.3f} ({own[f'{kind}_random']:.3f})" for kind in ("deletion", "insertion")
        )
        lines.append(f"  {method:<11} {deletion:<26} {insertion:<27} {own['randomization']:+.2f}")
    return "\n".join(lines)


def save_sheet(path: Path, sheet: np.ndarray):
    """Written whole or not at all."""
    with written_atomically(path) as draft:
        Image.fromarray(sheet).save(draft, format="PNG")


def _words(names, probabilities, explained, before=""):
    best = int(np.argmax(probabilities))
    said = f"{before}the model says {names[best]}, {probabilities[best]:.0%}"
    return (
        said
        if explained == best
        else f"{said}; explained: {names[explained]}, {probabilities[explained]:.0%}"
    )
