"""The panels that explain a Keras model: activation maps, occlusion, and what only a model has."""

import cv2
import keras
import numpy as np

from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.explanation.drawing import PANEL, Panel, enlarged, occlusion_panel, overlay
from ferkit.explanation.grad_cam import METHODS, Explainer
from ferkit.explanation.occlusion import occlusion_maps

MAP_METHODS = ("occlusion", *METHODS)  # most faithful first


class KerasPanels:
    """Explains a model; what it traces is used for all faces.

    Args:
        model: a model of this program.

    Attributes:
        model: the model.
        explainer: its ``Explainer``.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model, self.explainer = model, Explainer(model)
        self._logits = BatchedLogits(model, model.input_shape[1:])

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Probabilities ``(n, classes)`` of uint8 faces ``(n, size, size, channels)``."""
        return softmax(self._logits(faces).astype(np.float64))

    def maps(self, faces: np.ndarray, classes: np.ndarray, method: str) -> np.ndarray:
        """Float maps ``(n, size, size)`` of faces by one of ``MAP_METHODS``.

        Args:
            faces: uint8 ``(n, size, size, channels)`` of the model's input size.
            classes: int ``(n,)``, the class that is explained.
            method: the method.
        """
        if method == "occlusion":
            return occlusion_maps(self.probabilities, faces, classes)
        return self.explainer.maps(faces, classes, method)["features"]

    def __call__(self, faces: np.ndarray, classes: np.ndarray) -> list[list[Panel]]:
        """The panels of each face.

        They are the face, its occlusion map, Grad-CAM, Grad-CAM++, and what only this model has:
        the attention heads of DAN, or what the transformer of Deep-Emotion samples.

        Args:
            faces: uint8 ``(n, size, size, channels)`` of the model's input size.
            classes: int ``(n,)``, the class that is explained.

        Returns:
            A list of (title, uint8 ``(height, width, 3)``) for each face.
        """
        explainer = self.explainer
        maps = {method: explainer.maps(faces, classes, method) for method in METHODS}
        occlusion = self.maps(faces, classes, "occlusion")
        panels = []
        for row, face in enumerate(faces):
            picture = enlarged(face)
            panels.append(
                [
                    ("face", picture),
                    occlusion_panel(picture, occlusion[row]),
                    _grad_cam_panel("Grad-CAM", picture, maps["grad-cam"]["features"][row]),
                    _grad_cam_panel("Grad-CAM++", picture, maps["grad-cam++"]["features"][row]),
                ]
            )
            for name in explainer.names[1:]:
                title = name.replace("head", "Grad-CAM of head ")
                panels[-1].append(_grad_cam_panel(title, picture, maps["grad-cam"][name][row]))
        for title, pictures in _visualizations(explainer, faces):
            for panels_of_face, picture in zip(panels, pictures, strict=True):
                panels_of_face.append((title, _with_panel_height(picture)))
        return panels


def _grad_cam_panel(title: str, picture: np.ndarray, values: np.ndarray) -> Panel:
    return (title if values.any() else f"{title}: none"), overlay(picture, values)


def _visualizations(explainer: Explainer, faces: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Titles and pictures ``(n, H, W, 3)`` of what the model does, apart from importance maps."""
    if "transformer" not in explainer.package.visualizations:
        return []
    draw = explainer.package.visualizations["transformer"]
    pictures = draw(explainer.model, faces, skip_unchanged=True)
    return [("transformer: its window, and what it samples", pictures)] if len(pictures) else []


def _with_panel_height(picture: np.ndarray) -> np.ndarray:
    width = round(picture.shape[1] * PANEL / picture.shape[0])
    return cv2.resize(picture, (width, PANEL), interpolation=cv2.INTER_AREA)
