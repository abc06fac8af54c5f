"""Sheets that explain the faces of photos; without TensorFlow unless the model runs in Keras."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tqdm import tqdm

from ferkit.errors import UserError, escaped, without_location
from ferkit.explanation.drawing import Panel, draw_sheet, enlarged, occlusion_panel
from ferkit.explanation.occlusion import occlusion_maps
from ferkit.files import written_atomically
from ferkit.outputs import OutputNames
from ferkit.process import imported
from ferkit.recognition.photos import PhotoError, read_photo
from ferkit.recognition.recognizer import Recognizer
from ferkit.recognition.runtimes import RUNTIMES

# Faces (n, size, size, channels) and the class of each to the panels of each.
PanelFunction = Callable[[np.ndarray, np.ndarray], list[list[Panel]]]


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


def preferred_runtime(path: Path) -> str:
    """The runtime that can draw most maps of a model file: Keras, if it is installed."""
    is_keras_file = path.suffix == RUNTIMES["keras"].suffix
    return "keras" if is_keras_file and RUNTIMES["keras"].is_installed else "auto"


def sheet_names(files: Sequence[Path]) -> dict[str, list[str]]:
    """Photo -> the name of its sheet."""
    return {str(file): [f"{file.stem}-explained.png"] for file in files}


def explain_photos(
    recognizer: Recognizer, files: Sequence[Path], sheets: OutputNames, name: str | None = None
) -> int:
    """Write a sheet for every photo that shows a face.

    Args:
        recognizer: finds the faces; its model is explained. With the runtime Keras, a sheet has
            the panels of ``keras_panels``; with another one, the face and its occlusion map.
        files: photos.
        sheets: the files to write, of ``sheet_names``.
        name: class to explain; None: the predicted class of each face.

    Returns:
        The number of photos that could not be read.

    Raises:
        UserError: unknown class.
    """
    index, panels_of = class_index(recognizer.class_names, name), _panel_function(recognizer)
    unreadable = 0
    for file in tqdm(files, unit="photo", disable=len(files) < 3, leave=False):
        try:
            photo = read_photo(file)
        except PhotoError as error:
            unreadable += 1
            tqdm.write(f"{escaped(file)}: unreadable: {without_location(error)}")
            continue
        detected = recognizer.detector(photo)
        if not detected:
            tqdm.write(f"{escaped(file)}: no face found")
            continue
        faces = np.stack([recognizer.crop(photo, face) for face in detected])
        (path,) = sheets.paths(file)
        heading = f"{Path(file).name}: explanation"
        probabilities = recognizer.probabilities(faces)
        classes = explained_classes(probabilities, index)
        captions = [
            caption(recognizer.class_names, p, c)
            for p, c in zip(probabilities, classes, strict=True)
        ]
        rows = list(zip(captions, panels_of(faces, classes), strict=True))
        save_sheet(path, draw_sheet(rows, heading), sheets.tag(file))
        tqdm.write(f"{escaped(file)}: {len(faces)} explained in {escaped(path)}")
    return unreadable


def _panel_function(recognizer: Recognizer) -> PanelFunction:
    if recognizer.runtime.name == "keras":
        panels: PanelFunction = imported("ferkit.explanation.keras_panels:KerasPanels")(
            recognizer.model
        )
        return panels
    return functools.partial(_face_and_occlusion, recognizer)


def _face_and_occlusion(
    recognizer: Recognizer, faces: np.ndarray, classes: np.ndarray
) -> list[list[Panel]]:
    falls = occlusion_maps(recognizer.runtime.probabilities, faces, classes)
    pictures = [enlarged(face) for face in faces]
    return [
        [("face", picture), occlusion_panel(picture, fall)]
        for picture, fall in zip(pictures, falls, strict=True)
    ]


def save_sheet(path: Path, sheet: np.ndarray, tag: str) -> None:
    """Write a sheet as a PNG file that is complete or absent.

    Args:
        path: the file.
        sheet: uint8 ``(height, width, 3)``.
        tag: a text for its comment, see ``OutputNames.tag``.
    """
    comment = PngInfo()
    comment.add_text("Comment", tag)
    with written_atomically(path) as draft:
        Image.fromarray(sheet).save(draft, format="PNG", pnginfo=comment)


def explained_classes(probabilities: np.ndarray, index: int | None) -> np.ndarray:
    """The class to explain for each face: `index`, or the predicted class if it is None."""
    if index is None:
        return probabilities.argmax(axis=1)
    return np.full(len(probabilities), index)


def caption(class_names: Sequence[str], probabilities: np.ndarray, explained: int) -> str:
    """The predicted class and the explained class of a face, with their probabilities."""
    best = int(np.argmax(probabilities))
    text = f"prediction: {class_names[best]}, {probabilities[best]:.0%}"
    if explained == best:
        return text
    return f"{text}; explained: {class_names[explained]}, {probabilities[explained]:.0%}"
