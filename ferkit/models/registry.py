"""The models that can be trained, by name. No other module of ferkit knows one by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferkit.errors import UserError
from ferkit.models.interface import HealthModule, ModelPackage

if TYPE_CHECKING:
    import keras

_PACKAGES = (
    ModelPackage("deep_emotion", "deep_emotion", "DeepEmotion"),
    ModelPackage("dan", "dan_tf", "DAN"),
)
MODELS = {package.name: package for package in _PACKAGES}
DEFAULT_MODEL = "deep_emotion"


def model_entry(name: str) -> ModelPackage:
    """The model of that name.

    Raises:
        UserError: unknown name; lists the known ones.
    """
    if name not in MODELS:
        raise UserError(f"--model {name}", "unknown model", f"choose from {', '.join(MODELS)}")
    return MODELS[name]


def entry_of_model(model: keras.Model | Any) -> ModelPackage | None:
    """The package whose class this Keras model is an instance of, or None."""
    module, name = type(model).__module__.split(".")[0], type(model).__name__
    for package in MODELS.values():
        if (module, name) == (package.package, package.class_name):
            return package
    return None


def health_of_model(model: keras.Model | Any) -> HealthModule | None:
    """The module ``health`` of the model's package, or None if it has none."""
    entry = entry_of_model(model)
    return entry.health if entry else None


def import_custom_objects() -> None:
    """Import every model package, so that Keras can load any saved model of this program."""
    for package in MODELS.values():
        _ = package.model_class
