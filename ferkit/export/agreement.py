"""Whether an exported file says what Keras says."""

import dataclasses

import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.input_pipeline.fit_images import resize_to_input

TOLERANCE = 1e-4  # of a probability
INT8_TOLERANCE = 0.05  # of a probability, where there are no labelled images to tell what it costs
INT8_POINTS = 0.01  # of the accuracy
FACES = 35
BATCHES = (1, 5)
ROWS_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far a file's probabilities are from Keras's on a set of images.

    Attributes:
        images: how many.
        largest: the largest difference of a probability; NaN where the file gave one.
        accuracy_keras, accuracy: of both, in [0, 1]; None without labels.
    """

    images: int
    largest: float
    accuracy_keras: float | None = None
    accuracy: float | None = None


def compare(model, exported, images, labels=None) -> Agreement:
    """Ask both for the probabilities of all images, the file also in batches of several sizes.

    Args:
        model: the Keras model.
        exported: a function from float32 images to probabilities.
        images: uint8 ``(rows, height, width, channels)``; fitted to the model.
        labels: ``(rows,)``, integers, or None.
    """
    expected = softmax(BatchedLogits(model, images.shape[1:])(images, ROWS_AT_ONCE))
    starts = range(0, len(images), ROWS_AT_ONCE)
    fitted = (
        resize_to_input(images[start : start + ROWS_AT_ONCE], model.input_shape[1:]).numpy()
        for start in starts
    )
    received = np.concatenate([exported(batch) for batch in fitted])
    largest = [_largest(received, expected)]
    for size in BATCHES:
        some = resize_to_input(images[:size], model.input_shape[1:]).numpy()
        largest.append(_largest(exported(some), expected[: len(some)]))
    found = Agreement(len(images), float(np.max(largest)))
    if labels is None:
        return found
    right = [float((each.argmax(axis=1) == labels).mean()) for each in (expected, received)]
    return dataclasses.replace(found, accuracy_keras=right[0], accuracy=right[1])


def _largest(received, expected):
    if received.shape != expected.shape:
        raise UserError(
            f"the exported file gave shape {received.shape} where Keras gives {expected.shape}."
        )
    return np.abs(received - expected).max()


def check(faces: Agreement, measured: Agreement | None, int8: bool):
    """Raises UserError where a file must not be handed on.

    Args:
        faces: on drawn faces.
        measured: on a labelled split, or None.
        int8: 8-bit kernels cost something: then the accuracy decides, and without a split a wide
            bound.
    """
    if int8 and measured:
        apart = abs(measured.accuracy - measured.accuracy_keras)
        if not apart <= INT8_POINTS or not np.isfinite(measured.largest):
            raise UserError(
                f"8-bit kernels: accuracy {measured.accuracy:.2%} where Keras has {measured.accuracy_keras:.2%}, more than "
                f"{INT8_POINTS:.0%} apart; export without int8."
            )
        return
    bound = INT8_TOLERANCE if int8 else TOLERANCE
    for agreement in (faces, measured):
        if agreement and not agreement.largest <= bound:
            advice = (
                " without labelled images; measure the accuracy in its place with -d DIR"
                if int8
                else ""
            )
            raise UserError(
                f"probabilities up to {agreement.largest:.2g} from Keras's, and {bound:g} is allowed{advice}."
            )


def drawn_faces() -> np.ndarray:
    """Drawn faces of all expressions, a black and a white image.

    Uint8 ``(FACES + 2, 48, 48, 1)``, always the same.
    """
    from generate_data.samples.expressions import draw_face

    faces = [draw_face(k % 7, np.random.default_rng([0, k])) for k in range(FACES)]
    return np.stack([*faces, np.zeros_like(faces[0]), np.full_like(faces[0], 255)])[..., None]
