"""Compares the probabilities of an exported file with those of Keras."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.input_pipeline.fit_images import resize_to_input
from generate_data.images.lazy_array import ImageFiles
from generate_data.samples.expressions import draw_face

TOLERANCE = 1e-4  # of a probability
INT8_TOLERANCE = 0.05  # of a probability, if there are no labels to measure the accuracy with
INT8_ACCURACY_TOLERANCE = 0.01  # one percentage point
FACES = 35
BATCHES = (1, 5)
ROWS_AT_ONCE = 64

# From float32 images (batch, height, width, channels) in [0, 255] to float32 (batch, classes).
Probabilities = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far the probabilities of a file are from those of Keras on a set of images.

    Attributes:
        images: number of images.
        largest: largest difference of a probability; NaN if the file returned NaN.
        accuracy_keras, accuracy: of Keras and of the file, in [0, 1]; None without labels.
    """

    images: int
    largest: float
    accuracy_keras: float | None = None
    accuracy: float | None = None


def measure_agreement(
    model: keras.Model,
    exported: Probabilities,
    images: np.ndarray | ImageFiles,
    labels: np.ndarray | None = None,
) -> Agreement:
    """Compute the probabilities of all images with both, and the file's with several batch sizes.

    Args:
        model: the Keras model.
        exported: the file in its runtime.
        images: uint8 ``(rows, height, width, channels)``; resized to the model's input.
        labels: integers ``(rows,)``, or None.

    Raises:
        ValueError: the file returns another shape than Keras.
    """
    input_shape = model.input_shape[1:]
    expected = softmax(BatchedLogits(model, images.shape[1:])(images, ROWS_AT_ONCE))
    starts = range(0, len(images), ROWS_AT_ONCE)
    batches = (
        resize_to_input(images[start : start + ROWS_AT_ONCE], input_shape).numpy()
        for start in starts
    )
    received = np.concatenate([exported(batch) for batch in batches])
    largest = [_largest_difference(received, expected)]
    for size in BATCHES:
        batch = resize_to_input(images[:size], input_shape).numpy()
        largest.append(_largest_difference(exported(batch), expected[: len(batch)]))
    agreement = Agreement(len(images), float(np.max(largest)))
    if labels is None:
        return agreement
    return dataclasses.replace(
        agreement,
        accuracy_keras=float((expected.argmax(axis=1) == labels).mean()),
        accuracy=float((received.argmax(axis=1) == labels).mean()),
    )


def _largest_difference(received: np.ndarray, expected: np.ndarray) -> float:
    if received.shape != expected.shape:
        raise ValueError(
            f"the exported file returns shape {received.shape}, and Keras {expected.shape}"
        )
    return np.abs(received - expected).max()


def check_agreement(
    where: str, faces: Agreement, measured: Agreement | None, int8: bool = False
) -> None:
    """Check that an exported file may be kept.

    8-bit kernels change the probabilities. They are judged by the accuracy if there are labels, and
    by a wide tolerance of the probabilities otherwise.

    Args:
        where: what was exported, for the error.
        faces: agreement on drawn faces.
        measured: agreement on a labeled split, or None.
        int8: whether the kernels are stored in 8 bits.

    Raises:
        UserError: the difference is too large.
    """
    if int8 and measured:
        _check_accuracy(where, measured)
        return
    tolerance = INT8_TOLERANCE if int8 else TOLERANCE
    for agreement in (faces, measured):
        if agreement and not agreement.largest <= tolerance:  # NaN fails too
            advice = "choose another --format"
            if int8:
                advice += ", or give labeled images with -d DIR to compare the accuracy instead"
            raise UserError(
                where,
                f"probabilities differ by up to {agreement.largest:.2g} from those of Keras, and "
                f"{tolerance:g} is allowed",
                f"{advice}. Nothing was written",
            )


def _check_accuracy(where: str, measured: Agreement) -> None:
    if measured.accuracy is None or measured.accuracy_keras is None:
        raise ValueError("the split has no labels")
    advice = "export without int8. Nothing was written"
    if not np.isfinite(measured.largest):
        raise UserError(where, "probabilities are NaN or infinite with 8-bit kernels", advice)
    if abs(measured.accuracy - measured.accuracy_keras) > INT8_ACCURACY_TOLERANCE:
        raise UserError(
            where,
            f"accuracy {measured.accuracy:.2%} with 8-bit kernels, where Keras has "
            f"{measured.accuracy_keras:.2%}, more than {INT8_ACCURACY_TOLERANCE:.0%} apart",
            advice,
        )


def drawn_faces() -> np.ndarray:
    """Drawn faces of all expressions, a black image and a white image; always the same.

    Returns:
        uint8 ``(FACES + 2, 48, 48, 1)``.
    """
    faces = [draw_face(k % 7, np.random.default_rng([0, k])) for k in range(FACES)]
    return np.stack([*faces, np.zeros_like(faces[0]), np.full_like(faces[0], 255)])[..., None]
