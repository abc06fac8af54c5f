"""Galleries of explanations for a split of a dataset, and checks of the maps."""

import functools
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from ferkit.evaluation.inputs import load_model_and_split as load_model_and_split
from ferkit.explanation.drawing import draw_sheet
from ferkit.explanation.faithfulness import deletion_and_insertion, randomization
from ferkit.explanation.keras_panels import MAP_METHODS, KerasPanels
from ferkit.explanation.photo_sheets import caption, class_index, explained_classes, save_sheet
from ferkit.input_pipeline.dataset import Split
from ferkit.outputs import OutputNames

CHECKED_FACES = 64  # faces of the split for deletion and insertion
SHUFFLED_FACES, SHUFFLES = 16, 5  # faces, and shuffles of the weights, for randomization

Faithfulness = dict[str, dict[str, float]]  # method -> name of the figure -> value


def gallery_names(class_names: Sequence[str]) -> list[str]:
    """The name of the sheet of each class."""
    return [f"gallery-{name}.png" for name in class_names]


def explain_split(
    model: keras.Model,
    split: Split,
    sheets: OutputNames,
    source: Path,
    per_class: int,
    name: str | None = None,
    seed: int = 0,
) -> Faithfulness:
    """Write a gallery, one sheet for each class of a split, and check the maps.

    Args:
        model: a model of this program.
        split: a split with labels, whose images have the model's input size.
        sheets: the files to write; `source` wants the ``gallery_names`` of the classes.
        source: the manifest of the dataset.
        per_class: faces per class.
        name: class to explain; None: the predicted class of each face.
        seed: seed of the selection of faces.

    Returns:
        The figures of ``faithfulness_figures``.

    Raises:
        UserError: unknown class.
    """
    index, panels_of = class_index(split.class_names, name), KerasPanels(model)
    rng = np.random.default_rng(seed)
    paths = sheets.paths(source)
    for number, label in enumerate(tqdm(split.class_names, unit="class", leave=False)):
        rows = np.flatnonzero(split.labels == number)
        rows = np.sort(rng.permutation(rows)[:per_class])
        if not len(rows):
            continue
        faces = split.images[rows]
        probabilities = panels_of.probabilities(faces)
        classes = explained_classes(probabilities, index)
        captions = [
            f"row {row}, labeled {label}: {caption(split.class_names, p, c)}"
            for row, p, c in zip(rows, probabilities, classes, strict=True)
        ]
        panels = panels_of(faces, classes)
        heading = f"{split.name} split, {label}"
        sheet = draw_sheet(list(zip(captions, panels, strict=True)), heading)
        save_sheet(paths[number], sheet, sheets.tag(source))
        tqdm.write(f"{label}: {paths[number]}")
    return faithfulness_figures(split, rng, panels_of)


def faithfulness_figures(
    split: Split, rng: np.random.Generator, panels_of: KerasPanels
) -> Faithfulness:
    """Check the maps on up to ``CHECKED_FACES`` faces of a split, occlusion maps first.

    Returns:
        method -> {"deletion": area, "deletion_random": area, "insertion": area,
        "insertion_random": area, "randomization": rank correlation}.
    """
    rows = np.sort(rng.permutation(len(split))[:CHECKED_FACES])
    faces, model = split.images[rows], panels_of.model
    classes = panels_of.probabilities(faces).argmax(axis=1)
    few = slice(SHUFFLED_FACES)
    figures = {}
    for method in tqdm(MAP_METHODS, unit="check", leave=False):
        maps = panels_of.maps(faces, classes, method)
        curves = deletion_and_insertion(model, faces, maps, classes)
        draw_again = functools.partial(panels_of.maps, faces[few], classes[few], method)
        correlation = randomization(model, draw_again, SHUFFLES)
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
