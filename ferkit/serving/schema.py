"""The API's answers as data classes for its OpenAPI description, and how they are filled."""

from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from ferkit.recognition import Face as DetectedFace
from ferkit.recognition.recognizer import Recognizer


class Face(BaseModel):
    """A face and its predicted expression."""

    label: str = Field(description="The most likely class.", examples=["happy"])
    confidence: float = Field(description="The label's probability, calibrated.", examples=[0.94])
    unsure: bool = Field(
        description="Whether the confidence is below the model's unsure_below, so that the label "
        "is unreliable."
    )
    probabilities: dict[str, float] = Field(description="Probability of each class; they sum to 1.")
    box: list[float] = Field(
        description="Left, top, right, bottom in pixels of the upright photo; may extend beyond it."
    )
    score: float = Field(description="Score of the detector, from 0 to 1.")
    landmarks: list[list[float]] | None = Field(
        description="Eyes, nose and mouth corners, x and y; null without a detector."
    )


class ExplainedFace(Face):
    """A face, its predicted expression, and what the prediction is based on."""

    explained: str = Field(description="The class that the map is for.")
    crop: list[list[float]] = Field(
        description="Corners of the model's input in the photo, clockwise from the upper left."
    )
    seen: str = Field(description="The model's input, a PNG as a data URL.")
    map: str = Field(
        description="What the class is based on: a transparent PNG over the crop, as a data URL."
    )


class _Answer(BaseModel):
    model: str = Field(description="The model that answered.")
    width: int = Field(description="Width of the upright photo in pixels.")
    height: int = Field(description="Height of the upright photo in pixels.")
    faces_found: int = Field(description="Number of detected faces; 0 if there is none.")
    faces_left_out: int = Field(
        description="Number of detected faces beyond the limit, which were not analyzed."
    )


class Prediction(_Answer):
    """The faces of a photo, highest detection score first."""

    faces: list[Face]


class Explanation(_Answer):
    """The faces of a photo with explanation maps."""

    faces: list[ExplainedFace]


class ServedModel(BaseModel):
    """The served model and its accuracy."""

    name: str
    class_names: list[str]
    input: list[int] = Field(description="Height, width and channels of the model's input.")
    parameters: int | None = Field(description="Null if the model file does not say.")
    runtime: str = Field(description="What runs the model: litert, onnx or keras.")
    detector: str = Field(description="The face detector, unless a request names another one.")
    unsure_below: float = Field(
        description="The confidence below which a label is unsure: 0.4, or by --max-error."
    )
    measured: dict | None = Field(
        description="Accuracy and per-class recall on the validation images; null if unknown."
    )


class Models(BaseModel):
    """The models served, and the limits of requests."""

    models: list[ServedModel]
    limits: dict[str, float]


class Refusal(BaseModel):
    """The reason why a request was not answered."""

    error: str = Field(examples=["the photo: damaged (image file is truncated); copy it again."])


def face_answer(
    recognizer: Recognizer, face: DetectedFace, probabilities: np.ndarray
) -> dict[str, Any]:
    """A ``Face`` as plain data.

    Args:
        recognizer: the recognizer that answered.
        face: the detected face.
        probabilities: ``(classes,)``.
    """
    names, best = recognizer.class_names, int(probabilities.argmax())
    return {
        "label": names[best],
        "confidence": round(float(probabilities[best]), 5),
        "unsure": bool(probabilities[best] < recognizer.unsure_below),
        "probabilities": {
            name: round(float(p), 5) for name, p in zip(names, probabilities, strict=True)
        },
        "box": [round(edge, 1) for edge in face.box],
        "score": round(face.score, 4),
        "landmarks": None if face.landmarks is None else face.landmarks.round(1).tolist(),
    }
