"""Sheets of explanations for photos or for a split of a dataset, and checks of the maps."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from tqdm import tqdm

from ferkit.errors import UserError, without_location
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.inputs import load_model_and_split as load_model_and_split
from ferkit.evaluation.metrics import softmax
from ferkit.explanation.drawing import draw_sheet, explanation_panels
from ferkit.explanation.faithfulness import deletion_and_insertion, randomization
from ferkit.explanation.grad_cam import METHODS, Explainer
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.recognition.photos import PhotoError, read_photo
from ferkit.recognition.recognizer import Recognizer

CHECKED_FACES = 64  # faces of the split on which the maps are checked
SHUFFLES = 5  # shuffles of the weights in the randomization check

Faithfulness = dict[str, dict[str, float]]  # method -> name of the figure -> value


def class_index(class_names: Sequence[str], name: str | None) -> int | None:
    """Index of a class; None if no name is given.

    Raises:
        UserError: unknown class.
    """
    if name is None:
        return None
    if name not in class_names:
        problem = "not a class of this model"
        raise UserError(f"--class {name}", problem, f"choose from {', '.join(class_names)}")
    return list(class_names).index(name)


def explain_photos(
    recognizer: Recognizer, files: Sequence[Path], folder: str | Path, name: str | None = None
) -> int:
    """Write a sheet for every photo that shows a face.

    Args:
        recognizer: finds the faces; its model is explained.
        files: photos.
        folder: folder for the files NAME-explained.png.
        name: class to explain; None: the predicted class of each face.

    Returns:
        The number of photos that could not be read.

    Raises:
        UserError: unknown class.
    """
    index, explainer = class_index(recognizer.class_names, name), Explainer(recognizer.model)
    unreadable = 0
    for file in tqdm(files, unit="photo", disable=len(files) < 3, leave=False):
        try:
            photo = read_photo(file)
        except PhotoError as error:
            unreadable += 1
            tqdm.write(f"{file}: unreadable: {without_location(error)}")
            continue
        detected = recognizer.detector(photo)
        if not detected:
            tqdm.write(f"{file}: no face found")
            continue
        faces = np.stack([recognizer.crop(photo, face) for face in detected])
        path = Path(folder) / f"{Path(file).stem}-explained.png"
        heading = f"{Path(file).name}: explanation"
        _write_photo_sheet(path, heading, recognizer, explainer, faces, index)
        tqdm.write(f"{file}: {len(faces)} explained in {path}")
    return unreadable


def _write_photo_sheet(
    path: Path,
    heading: str,
    recognizer: Recognizer,
    explainer: Explainer,
    faces: np.ndarray,
    index: int | None,
) -> None:
    probabilities = recognizer.probabilities(faces)
    classes = _explained_classes(probabilities, index)
    panels = explanation_panels(recognizer.model, faces, classes, explainer)
    captions = [
        _caption(recognizer.class_names, p, c) for p, c in zip(probabilities, classes, strict=True)
    ]
    save_sheet(path, draw_sheet(list(zip(captions, panels, strict=True)), heading))


def explain_split(
    model: keras.Model,
    split: Split,
    folder: str | Path,
    per_class: int,
    name: str | None = None,
    seed: int = 0,
) -> Faithfulness:
    """Write a gallery, one sheet for each class of a split, and check the maps.

    Args:
        model: a model of this program.
        split: a split with labels, whose images have the model's input size.
        folder: folder for the files gallery-CLASS.png.
        per_class: faces per class.
        name: class to explain; None: the predicted class of each face.
        seed: seed of the selection of faces.

    Returns:
        The figures of ``faithfulness_figures``.

    Raises:
        UserError: unknown class.
    """
    index, explainer = class_index(split.class_names, name), Explainer(model)
    logits_of, rng = BatchedLogits(model, split.images.shape[1:]), np.random.default_rng(seed)
    for number, label in enumerate(tqdm(split.class_names, unit="class", leave=False)):
        rows = np.flatnonzero(split.labels == number)
        rows = np.sort(rng.permutation(rows)[:per_class])
        if not len(rows):
            continue
        faces = split.images[rows]
        probabilities = softmax(logits_of(faces).astype(np.float64))
        classes = _explained_classes(probabilities, index)
        captions = [
            f"row {row}, labeled {label}: {_caption(split.class_names, p, c)}"
            for row, p, c in zip(rows, probabilities, classes, strict=True)
        ]
        panels = explanation_panels(model, faces, classes, explainer)
        path = Path(folder) / f"gallery-{label}.png"
        heading = f"{split.name} split, {label}"
        save_sheet(path, draw_sheet(list(zip(captions, panels, strict=True)), heading))
        tqdm.write(f"{label}: {path}")
    return faithfulness_figures(model, split, rng, explainer)


def faithfulness_figures(
    model: keras.Model, split: Split, rng: np.random.Generator, explainer: Explainer
) -> Faithfulness:
    """Check the maps on up to ``CHECKED_FACES`` faces of a split.

    Returns:
        method -> {"deletion": area, "deletion_random": area, "insertion": area,
        "insertion_random": area, "randomization": rank correlation}.
    """
    rows = np.sort(rng.permutation(len(split))[:CHECKED_FACES])
    faces = split.images[rows]
    classes = BatchedLogits(model, faces.shape[1:])(faces).argmax(axis=1)
    figures = {}
    for method in METHODS:
        maps = explainer.maps(faces, classes, method)["features"]
        curves = deletion_and_insertion(model, faces, maps, classes)
        correlation = randomization(explainer, faces, classes, method, SHUFFLES)
        areas = {name: curve["area"] for name, curve in curves.items()}
        figures[method] = areas | {"randomization": correlation}
    return figures


def format_faithfulness(figures: Faithfulness, count: int) -> str:
    """The figures of ``faithfulness_figures`` as a table with a heading.

    Args:
        figures: the figures.
        count: number of faces that were checked.
    """
    lines = [
        f"Checks on {count} faces: areas under the probability of the class; "
        "in parentheses, those of random maps of equal smoothness",
        f"  {'':<11} deletion (lower is better)  insertion (higher is better)  "
        "rank correlation with shuffled weights (0 is good)",
    ]
    for method, values in figures.items():
        deletion, insertion = (
            f"{values[kind]:.3f} ({values[f'{kind}_random']:.3f})"
            for kind in ("deletion", "insertion")
        )
        correlation = f"{values['randomization']:+.2f}"
        lines.append(f"  {method:<11} {deletion:<27} {insertion:<29} {correlation}")
    return "\n".join(lines)


def save_sheet(path: Path, sheet: np.ndarray) -> None:
    """Write a sheet as a PNG file that is complete or absent."""
    with written_atomically(path) as draft:
        Image.fromarray(sheet).save(draft, format="PNG")


def _explained_classes(probabilities: np.ndarray, index: int | None) -> np.ndarray:
    """The class to explain for each face: `index`, or the predicted class if it is None."""
    if index is None:
        return probabilities.argmax(axis=1)
    return np.full(len(probabilities), index)


def _caption(class_names: Sequence[str], probabilities: np.ndarray, explained: int) -> str:
    best = int(np.argmax(probabilities))
    caption = f"prediction: {class_names[best]}, {probabilities[best]:.0%}"
    if explained == best:
        return caption
    return f"{caption}; explained: {class_names[explained]}, {probabilities[explained]:.0%}"
