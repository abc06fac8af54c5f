"""Checks of an installation and of a model.

Every check can fail, and prints what it found.
"""

import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ferkit.errors import first_line
from ferkit.evaluation.metrics import confusion_matrix, per_class
from ferkit.models.interface import SelfCheck
from ferkit.models.registry import entry_of_model
from ferkit.models.saved_model import load_model
from ferkit.models.trained_on import read_trained_on
from ferkit.provenance import provenance
from ferkit.training.losses import TrainingLoss
from ferkit.training.step import row_keys


def check_installation() -> int:
    """Print versions and check metrics and loss against hand-computed values.

    Returns:
        Count of failed checks.
    """
    made = provenance()
    versions = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    print(f"Python {made['python']}, {versions}, {made['machine']}, commit {made['commit']}")
    print("installation")
    return _run(
        [
            ("cross-entropy of logits (2, 1, 0)", _cross_entropy),
            ("metrics of a known confusion", _metrics),
        ]
    )


def check_model_file(path: Path, model_name: str | None = None) -> int:
    """Load a saved model and check it.

    Args:
        path: a .keras file.
        model_name: name of the model that the file must contain; None: any.

    Returns:
        Count of failed checks.

    Raises:
        UserError: the file cannot be loaded, or contains another model.
    """
    model = load_model(path, model_name)
    return check_model(model, f"{path}; training data: {read_trained_on(path).describe()}")


def check_model(model: keras.Model, title: str) -> int:
    """Run the checks of the model's package and the general ones.

    The general ones check shapes, gradients, batch independence and reloading.

    Args:
        model: a model of this program.
        title: printed above the checks.

    Returns:
        Count of failed checks.
    """
    print(title)
    entry = entry_of_model(model)
    general = (_shapes, _finite_on_extremes, _batch_independent, _reloads, _gradients)
    package_checks = entry.self_checks if entry else ()
    model_checks = (*(entry.model_self_checks if entry else ()), *general)
    checks = [(_title(check), check) for check in package_checks]
    checks += [(_title(check), functools.partial(check, model)) for check in model_checks]
    return _run(checks)


def _title(check: SelfCheck) -> str:
    """First line of the check's docstring."""
    return (check.__doc__ or "check").splitlines()[0].rstrip(".")


def _run(checks: Sequence[tuple[str, Callable[[], str]]]) -> int:
    failures = 0
    for name, check in checks:
        try:
            print(f"  ok    {name}: {check()}")
        except Exception as error:  # any exception means that the check failed
            failures += 1
            print(f"  FAIL  {name}: {first_line(error, limit=10_000)}")
    return failures


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _cross_entropy() -> str:
    # -log(e^2 / (e^2 + e + 1)) and, smoothed by 0.3, that plus 0.1 * ((2 - 1) + (2 - 0)).
    loss = tf.nn.softmax_cross_entropy_with_logits
    plain = float(loss(labels=[1.0, 0.0, 0.0], logits=[2.0, 1.0, 0.0]))
    smooth = float(loss(labels=[0.8, 0.1, 0.1], logits=[2.0, 1.0, 0.0]))
    _expect(abs(plain - 0.4076059644443803) < 1e-6, f"expected 0.407606, received {plain}")
    _expect(abs(smooth - 0.7076059644443803) < 1e-6, f"expected 0.707606, received {smooth}")
    return f"{plain:.6f} and {smooth:.6f} smoothed"


def _metrics() -> str:
    confusion = confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2)
    figures = per_class(confusion, ("a", "b"))
    _expect(
        abs(figures["a"]["f1"] - 0.8) < 1e-9 and abs(figures["b"]["f1"] - 2 / 3) < 1e-9,
        f"received {figures}",
    )
    return "F1 0.8 and 0.667"


def _images(model: keras.Model, count: int = 4) -> np.ndarray:
    return (
        np.random.default_rng(0).integers(0, 256, (count, *model.input_shape[1:])).astype("float32")
    )


def _logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return model(tf.constant(images), training=False).numpy()


def _shapes(model: keras.Model) -> str:
    """One row of logits for each image, one logit for each class."""
    shape = _logits(model, _images(model)).shape
    _expect(
        shape == (4, len(model.class_names)),
        f"expected {(4, len(model.class_names))}, received {shape}",
    )
    return f"{model.input_shape[1:]} -> {shape[1:]}, {model.count_params():,} parameters"


def _finite_on_extremes(model: keras.Model) -> str:
    """Black, white and noisy images give finite logits."""
    images = np.stack(
        [np.zeros(model.input_shape[1:]), np.full(model.input_shape[1:], 255.0), _images(model)[0]]
    )
    logits = _logits(model, images.astype("float32"))
    _expect(np.isfinite(logits).all(), f"received {logits}")
    return f"from {logits.min():.2f} to {logits.max():.2f}"


def _batch_independent(model: keras.Model) -> str:
    """An image gets the same logits alone and in a batch."""
    images = _images(model)
    logits = _logits(model, images)[:1]
    difference = np.abs(logits - _logits(model, images[:1])).max() / max(1.0, np.abs(logits).max())
    _expect(difference < 1e-4, f"largest difference {difference}")
    return f"largest difference {difference:.1e} of the largest logit"


def _reloads(model: keras.Model) -> str:
    """A saved and reloaded model gives the same logits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.models.load_model(path, compile=False)
    difference = np.abs(_logits(model, _images(model)) - _logits(again, _images(model))).max()
    _expect(difference < 1e-5, f"largest difference {difference}")
    return f"largest difference {difference:.1e}"


def _gradients(model: keras.Model) -> str:
    """The gradient of the loss reaches every weight."""
    # Zero kernels of the copy get small values: a kernel of zeros stops every gradient before it.
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    numbers = np.random.default_rng(1)
    for variable in copy.trainable_variables:
        if len(variable.shape) > 1 and not np.any(variable.numpy()):
            variable.assign(numbers.normal(0, 0.01, variable.shape))
    images = tf.constant(_images(copy, 16))
    labels = tf.range(16) % len(copy.class_names)
    objective = TrainingLoss(copy)
    with tf.GradientTape() as tape, row_keys(copy, tf.range(16)):
        loss, _ = objective.losses(labels, objective.outputs(images))
    gradients = tape.gradient(loss, [variable.value for variable in objective.trainable_variables])
    names = [variable.path for variable in objective.trainable_variables]
    without_gradient = [
        name
        for name, gradient in zip(names, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    _expect(not without_gradient, f"no gradient to {', '.join(without_gradient)}")
    return f"all {len(names)} weights"
