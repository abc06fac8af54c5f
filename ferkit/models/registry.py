"""The models that can be trained, by name. Nothing else in ferkit knows one by name."""

import dataclasses
import importlib
import importlib.util

from ferkit.errors import UserError


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """Where a model lives.

    Attributes:
        name: as on the command line.
        package: a package with ``recipes.py`` (DEFAULT, OPTIONS, RECIPES: plain data; perhaps
            FOR_DATASET and, for `compare`, ABLATIONS and PLAIN) and the model
            class. Custom objects are registered under the package's name, by which a saved file tells whose it is.
        class_name: a ``keras.Model`` whose constructor takes ``class_names``, ``image_size``, ``channels`` and the package's
            OPTIONS, and keeps them as attributes. Its last layer, dense or a batch normalization, is named LAST_LAYER.
            It may have ``load_first_weights()``, called once before training, and ``for_training()``: a model that shares its
            weights, returns a dictionary with "logits", and has ``extra_losses(labels, outputs)`` and
            ``after_step(labels, outputs)``. It may have ``folded()``: what is kept of it where it has more weights while it
            trains. And ``for_export()``: a model of the same numbers in operations that other runtimes have.

    The package may have ``visualization.py``, which shows what a model looks at: VISUALIZATIONS, name -> function(model, images).
    Images are uint8 ``(n, height, width, channels)`` of the model input size; it returns uint8 ``(n, H, W, 3)``, one a face, or
    ``(0, H, W, 3)`` where this model has nothing to show.
    """

    name: str
    package: str
    class_name: str

    @property
    def recipes(self):
        """The package's recipe module; quick to import."""
        return importlib.import_module(f"{self.package}.recipes")

    @property
    def model_class(self):
        """The model's class; imports Keras."""
        return getattr(importlib.import_module(self.package), self.class_name)

    @property
    def pictures(self):
        """VISUALIZATIONS of the package, {} when it has no ``visualization.py``; imports Keras."""
        if importlib.util.find_spec(f"{self.package}.visualization") is None:
            return {}
        return importlib.import_module(f"{self.package}.visualization").VISUALIZATIONS


_ENTRIES = (
    ModelEntry("deep_emotion", "deep_emotion", "DeepEmotion"),
    ModelEntry("dan", "dan_tf", "DAN"),
)
MODELS = {entry.name: entry for entry in _ENTRIES}
DEFAULT_MODEL = "deep_emotion"


def model_entry(name):
    """The entry of that name.

    Raises:
        UserError: no such model; the known ones are named.
    """
    if name not in MODELS:
        raise UserError(f"--model {name}: unknown model; known: {', '.join(MODELS)}.")
    return MODELS[name]


def entry_of_model(model):
    """The entry whose class this Keras model is an instance of, or None."""
    for entry in MODELS.values():
        if (
            type(model).__module__.split(".")[0] == entry.package
            and type(model).__name__ == entry.class_name
        ):
            return entry
    return None


def import_custom_objects():
    """Import every model package, so that any saved model of ours can be loaded."""
    for entry in MODELS.values():
        _ = entry.model_class
