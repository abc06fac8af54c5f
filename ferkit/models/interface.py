"""The contract between a model package and the rest of the program.

A model package imports nothing of ferkit, so it cannot subclass anything here. The protocols below
say what its modules and classes provide, ``ModelPackage`` finds them by name, and the functions at
the end hold the defaults of everything optional. ``registry`` lists the packages.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import keras
    import numpy as np

LAST_LAYER = "logits"  # name of the last layer of every model, dense or batch normalization

# Option of a model's constructor: type, choices or None, help text.
Option = tuple[type, tuple | None, str]
# Draws uint8 (n, H, W, 3) from a model and uint8 images (n, height, width, channels) of its input
# size: one picture per image, or (0, H, W, 3) if this model has nothing to show. With
# skip_unchanged=True also if what it shows leaves all of these images as they are.
Visualization = Callable[..., "np.ndarray"]
# Returns what it found; raises ValueError if the check fails.
SelfCheck = Callable[..., str]


class ImageClassifier(Protocol):
    """A ``keras.Model`` from pixels in [0, 255] to logits, registered under its package's name.

    Its constructor takes ``class_names``, ``image_size``, ``channels`` and the package's OPTIONS,
    and keeps them as attributes. Its last layer is named LAST_LAYER.

    It may also have ``undecayed_layers``, how the names of layers start that are trained without
    weight decay, and these methods, which the functions of this module call:

    - ``load_first_weights()``: loads pretrained weights; called once before training.
    - ``for_training()``: a ``TrainingModel`` that shares its weights.
    - ``folded()``: the model without what only its training needs, with the same outputs.
    - ``for_export()``: the same outputs in operations that other runtimes have.
    """

    class_names: tuple[str, ...]
    image_size: int
    channels: int


class TrainingModel(Protocol):
    """What ``for_training()`` returns: a Keras model with more outputs and more loss terms.

    Attributes:
        terms: names of the loss terms.
    """

    terms: tuple[str, ...]

    def extra_losses(self, labels: Any, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Value of each term; `outputs` has "logits" and whatever else the model returns."""
        ...

    def after_step(self, labels: Any, outputs: Mapping[str, Any]) -> None:
        """Update variables that no gradient reaches, such as class centers."""
        ...


class RecipeModule(Protocol):
    """The module ``recipes`` of a package: plain data that imports nothing.

    Attributes:
        DEFAULT: name of the default recipe.
        OPTIONS: options of the model's constructor, which become flags.
        RECIPES: name -> values of the recipe's fields.
        FOR_DATASET: kind of dataset -> name of its default recipe.
        ABLATIONS: name of a part -> options of the model without it, for `compare`.
        PLAIN: options of the model without any of these parts.
    """

    DEFAULT: str
    OPTIONS: dict[str, Option]
    RECIPES: dict[str, dict[str, Any]]
    FOR_DATASET: dict[str, str]
    ABLATIONS: dict[str, dict[str, Any]]
    PLAIN: dict[str, Any]


class ExplanationModule(Protocol):
    """The module ``explanation`` of a package."""

    def feature_tap(self, model: Any) -> Callable[[Any], tuple[dict[str, Any], Any]]:
        """A function from pixels to (feature maps by name, logits) through which gradients flow."""
        ...

    def feature_extractor(self, model: Any) -> tuple[keras.Model, float]:
        """A model from what the features are computed of to the last map; its middle gray."""
        ...

    def map_to_face(self, model: Any, pixels: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """Maps ``(n, height, width)``, moved to where they belong on the face."""
        ...


class HealthModule(Protocol):
    """The optional module ``health`` of a package: what loss and accuracy do not show.

    The images of both functions are ``(n, height, width, channels)`` of the model's input size.
    """

    def measurements(self, model: Any, images: np.ndarray) -> dict[str, str]:
        """What the model card reports: name -> value."""
        ...

    def warnings(self, model: Any, images: np.ndarray) -> list[str]:
        """Lines for the user at the end of a training."""
        ...


@dataclasses.dataclass(frozen=True)
class ModelPackage:
    """A model that can be trained.

    Attributes:
        name: name on the command line.
        package: the Python package. Custom objects are registered under this name, which tells to
            which model a saved file belongs.
        class_name: name of its ``ImageClassifier``.
    """

    name: str
    package: str
    class_name: str

    @property
    def recipes(self) -> RecipeModule:
        """The module ``recipes``, without its package, whose import would import Keras."""
        return _module_alone(self.package, "recipes")

    @property
    def model_class(self) -> type[keras.Model]:
        """The model's class; imports Keras."""
        return getattr(importlib.import_module(self.package), self.class_name)

    @property
    def explanation(self) -> ExplanationModule:
        """The module ``explanation``; imports Keras."""
        return self._module("explanation")

    @property
    def visualizations(self) -> dict[str, Visualization]:
        """VISUALIZATIONS of the optional module ``visualization``; imports Keras."""
        if not self._has("visualization"):
            return {}
        return self._module("visualization").VISUALIZATIONS

    @property
    def health(self) -> HealthModule | None:
        """The optional module ``health``; imports Keras."""
        return self._module("health") if self._has("health") else None

    @property
    def self_checks(self) -> tuple[SelfCheck, ...]:
        """SELF_CHECKS of the module ``self_checks``: checks against hand-computed values."""
        return tuple(self._module("self_checks").SELF_CHECKS)

    @property
    def model_self_checks(self) -> tuple[SelfCheck, ...]:
        """MODEL_SELF_CHECKS of the module ``self_checks``: checks of one model."""
        return tuple(self._module("self_checks").MODEL_SELF_CHECKS)

    def _has(self, name: str) -> bool:
        return importlib.util.find_spec(f"{self.package}.{name}") is not None

    def _module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")


@functools.cache
def _module_alone(package: str, name: str) -> Any:
    """A module of a package, run from its file, so that the package itself is not imported."""
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found else None
    path = Path(next(iter(folders or [package])), f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"{package}.{name}", path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {package}.{name}", name=f"{package}.{name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_first_weights(model: keras.Model) -> None:
    """Load pretrained weights, if the model has any."""
    if hasattr(model, "load_first_weights"):
        model.load_first_weights()


def for_training(model: keras.Model) -> Any | None:
    """The ``TrainingModel`` that shares the model's weights; None if it is trained as it is."""
    return model.for_training() if hasattr(model, "for_training") else None


def merged(model: keras.Model) -> keras.Model:
    """The model as it is saved: the same outputs, without what only its training needs."""
    return model.folded() if hasattr(model, "folded") else model


def for_inference(model: keras.Model) -> keras.Model:
    """The same outputs in operations that every runtime has."""
    return model.for_export() if hasattr(model, "for_export") else model


def sublayers(model: keras.Model) -> list[keras.Layer]:
    """All layers of a model, including those inside other layers.

    Keras has no public function for this: ``Model.layers`` stops at the first level.
    """
    return model._flatten_layers()


def undecayed_variables(model: keras.Model) -> list[keras.Variable]:
    """Weights of the layers that the model excludes from weight decay."""
    start = getattr(model, "undecayed_layers", None)
    layers = [layer for layer in sublayers(model) if start and layer.name.startswith(start)]
    return [variable for layer in layers for variable in layer.trainable_variables]


def keyed_layers(model: keras.Model) -> list[Any]:
    """Layers that draw random numbers from ``row_keys``, integers ``(batch,)``, when it is set."""
    return [layer for layer in sublayers(model) if hasattr(layer, "row_keys")]
