"""What the API answers, for its OpenAPI description; and how an expression becomes such an answer."""

from pydantic import BaseModel, Field

from ferkit.recognition.recognizer import UNSURE


class Face(BaseModel):
    """A face and what the model says of it."""

    label: str = Field(description="The likeliest class.", examples=["happy"])
    confidence: float = Field(description="The label's probability, calibrated.", examples=[0.94])
    unsure: bool = Field(
        description=f"Whether the confidence is below {UNSURE}: the label says little then."
    )
    probabilities: dict[str, float] = Field(description="Class to probability; they sum to 1.")
    box: list[float] = Field(
        description="Left, top, right, bottom in pixels of the upright photo; may reach beyond it."
    )
    score: float = Field(description="The detector's, from 0 to 1.")
    landmarks: list[list[float]] | None = Field(
        description="Eyes, nose and mouth corners, x and y; null without a detector."
    )


class ExplainedFace(Face):
    """A face, what the model says of it, and why."""

    explained: str = Field(description="The class that the map is of.")
    crop: list[list[float]] = Field(
        description="Corners of what the model saw, clockwise from the upper left, x and y."
    )
    seen: str = Field(description="What the model saw, a PNG as a data URL.")
    map: str = Field(
        description="What speaks for the class, a half-transparent PNG to lay over the crop, as a data URL."
    )


class _Answer(BaseModel):
    model: str = Field(description="The weights that answered.")
    width: int = Field(description="Of the upright photo, in pixels.")
    height: int
    faces_found: int = Field(description="0 where the detector saw no face: then nothing is said.")
    faces_left_out: int = Field(
        description="How many faces were found beyond the limit and not looked at."
    )


class Prediction(_Answer):
    """The faces of a photo, the surest detection first."""

    faces: list[Face]


class Explanation(_Answer):
    """The faces of a photo with maps."""

    faces: list[ExplainedFace]


class ServedModel(BaseModel):
    """What answers here, and how well."""

    name: str
    class_names: list[str]
    input: list[int] = Field(description="Height, width and channels that it sees of a face.")
    parameters: int
    detector: str = Field(description="Which finds faces, unless the request says otherwise.")
    unsure_below: float
    measured: dict | None = Field(
        description="Accuracy and recall by class on its validation images; null where unknown."
    )


class Models(BaseModel):
    """The models served, and the limits of requests."""

    models: list[ServedModel]
    limits: dict[str, float]


class Refusal(BaseModel):
    """Why a request was not answered."""

    error: str = Field(examples=["the photo: damaged (image file is truncated); copy it again."])


def face_answer(recognizer, found, probabilities) -> dict:
    """A ``Face`` as plain data.

    Args:
        recognizer: a ``Recognizer``.
        found: a ``detection.Face``.
        probabilities: ``(classes,)``.
    """
    names, best = recognizer.class_names, int(probabilities.argmax())
    return {
        "label": names[best],
        "confidence": round(float(probabilities[best]), 5),
        "unsure": bool(probabilities[best] < UNSURE),
        "probabilities": {
            name: round(float(p), 5) for name, p in zip(names, probabilities, strict=True)
        },
        "box": [round(edge, 1) for edge in found.box],
        "score": round(found.score, 4),
        "landmarks": None if found.landmarks is None else found.landmarks.round(1).tolist(),
    }
