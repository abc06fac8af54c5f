"""The panels that explain a Keras model: activation maps, occlusion, and what only a model has."""

import cv2
import keras
import numpy as np

from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.explanation.drawing import PANEL, Panel, enlarged, occlusion_panel, overlay
from ferkit.explanation.grad_cam import METHODS, Explainer
from ferkit.explanation.occlusion import occlusion_maps


class KerasPanels:
    """Explains a model; what it traces is used for all faces.

    Args:
        model: a model of this program.

    Attributes:
        explainer: the ``Explainer`` of the model.
    """

    def __init__(self, model: keras.Model) -> None:
        self.explainer = Explainer(model)
        self._logits = BatchedLogits(model, model.input_shape[1:])

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Probabilities ``(n, classes)`` of uint8 faces ``(n, size, size, channels)``."""
        return softmax(self._logits(faces).astype(np.float64))

    def __call__(self, faces: np.ndarray, classes: np.ndarray) -> list[list[Panel]]:
        """The panels of each face.

        They are the face, Grad-CAM, Grad-CAM++, the occlusion map, and what only this model has:
        the attention heads of DAN, or what the transformer of Deep-Emotion samples.

        Args:
            faces: uint8 ``(n, size, size, channels)`` of the model's input size.
            classes: int ``(n,)``, the class that is explained.

        Returns:
            A list of (title, uint8 ``(height, width, 3)``) for each face.
        """
        explainer = self.explainer
        maps = {method: explainer.maps(faces, classes, method) for method in METHODS}
        occlusion = occlusion_maps(self.probabilities, faces, classes)
        panels = []
        for row, face in enumerate(faces):
            picture = enlarged(face)
            panels.append(
                [
                    ("face", picture),
                    ("Grad-CAM", overlay(picture, maps["grad-cam"]["features"][row])),
                    ("Grad-CAM++", overlay(picture, maps["grad-cam++"]["features"][row])),
                    occlusion_panel(picture, occlusion[row]),
                ]
            )
            for name in explainer.names[1:]:
                title = name.replace("head", "head ")
                panels[-1].append((title, overlay(picture, maps["grad-cam"][name][row])))
        for title, pictures in _visualizations(explainer, faces):
            for panels_of_face, picture in zip(panels, pictures, strict=True):
                panels_of_face.append((title, _with_panel_height(picture)))
        return panels


def _visualizations(explainer: Explainer, faces: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Titles and pictures ``(n, H, W, 3)`` of what the model does, apart from importance maps."""
    if "transformer" not in explainer.package.visualizations:
        return []
    pictures = explainer.package.visualizations["transformer"](explainer.model, faces)
    return [("what the transformer samples", pictures)] if len(pictures) else []


def _with_panel_height(picture: np.ndarray) -> np.ndarray:
    width = round(picture.shape[1] * PANEL / picture.shape[0])
    return cv2.resize(picture, (width, PANEL), interpolation=cv2.INTER_AREA)
