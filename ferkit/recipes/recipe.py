"""A recipe: everything that determines a training except the data."""

import dataclasses
import json
from typing import Any

from ferkit.errors import UserError, nearest
from ferkit.models.registry import model_entry
from ferkit.recipes.validation import CONTRADICTIONS, check_choice, check_field, check_type

OPTIMIZERS = ("adam", "adamw", "sgd", "momentum")
SCHEDULES = ("constant", "cosine", "step", "exponential", "plateau")
SAMPLINGS = ("shuffle", "oversample", "inverse_frequency")
CLASS_WEIGHTS = ("none", "balanced")
VOTES = ("shares", "translated")
TEACHER_IMAGES = ("original", "augmented")
PRECISIONS = ("float32", "bfloat16", "float16")


# Fields by the names that recipes and flags had before version 0.2; both are accepted.
RENAMED_FIELDS = {
    "accumulate": "accumulate_steps",
    "erase_most": "erase_max_area",
    "mix_share": "mix_probability",
    "shrink": "zoom_out",
    "soft_labels": "vote_weight",
    "start_from": "init_from",
    "teacher_share": "teacher_weight",
    "votes": "vote_kind",
    "warp_share": "affine_probability",
}


def _field(
    default: Any,
    help_text: str,
    choices: tuple | None = None,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Any:
    """A recipe field with the help of its flag and its valid range.

    Args:
        default: default value.
        help_text: help of the flag.
        choices: valid values.
        low: smallest valid value.
        high: largest valid value.
        above: valid values are larger.
    """
    return dataclasses.field(
        default=default,
        metadata={"help": help_text, "choices": choices, "low": low, "high": high, "above": above},
    )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one training: frozen, validated on creation, saved as JSON.

    Raises:
        UserError: a value is out of range; names the flag, the value and the range.

    Example:
        >>> Recipe(model="deep_emotion", epochs=5).batch_size
        128
    """

    model: str = "deep_emotion"
    name: str = "custom"
    model_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    image_size: int = _field(
        0, "side of the model's input in pixels; 0: as in the dataset", low=0, high=1024
    )
    channels: int = _field(0, "1 gray, 3 color; 0: as in the dataset", choices=(0, 1, 3))
    epochs: int = _field(100, "passes over the training images", low=1)
    batch_size: int = _field(128, "images per step", low=1)
    learning_rate: float = _field(0.001, "learning rate of the optimizer", above=0.0, high=100.0)
    optimizer: str = _field(
        "adam", "sgd uses Nesterov momentum, momentum does not", choices=OPTIMIZERS
    )
    momentum: float = _field(0.9, "momentum of sgd and momentum", low=0.0, high=0.9999)
    weight_decay: float = _field(
        0.0, "decoupled weight decay; not applied to biases and normalization", low=0.0, high=1.0
    )
    l2: float = _field(
        0.0,
        "weight decay as L2 in the gradient of all weights, as in PyTorch's SGD",
        low=0.0,
        high=1.0,
    )
    clip_norm: float = _field(0.0, "maximum norm of the gradient; 0: no limit", low=0.0)
    accumulate_steps: int = _field(
        1, "compute a batch in this number of parts, to save memory", low=1
    )
    precision: str = _field(
        "float32",
        "precision of the layers' computations; weights remain float32",
        choices=PRECISIONS,
    )
    ema: float = _field(
        0.0,
        "momentum of averaged weights, which are evaluated and saved; 0: none",
        low=0.0,
        high=0.99999,
    )
    schedule: str = _field("constant", "learning-rate schedule", choices=SCHEDULES)
    decay: float = _field(
        0.5, "factor of the schedules step, exponential and plateau", above=0.0, high=1.0
    )
    decay_epochs: float = _field(
        10.0, "epochs per decay; plateau: epochs without improvement", above=0.0
    )
    min_learning_rate: float = _field(
        0.0, "minimum learning rate of the schedules", low=0.0, high=100.0
    )
    warmup_epochs: float = _field(0.0, "epochs in which the learning rate rises from zero", low=0.0)
    early_stopping: int = _field(
        0, "stop after this many epochs without improvement; 0: never", low=0
    )
    label_smoothing: float = _field(
        0.0, "part of the target that is spread over all classes", low=0.0, high=0.9
    )
    vote_weight: float = _field(
        0.0, "weight of FER+ votes in the target (needs setup --ferplus)", low=0.0, high=1.0
    )
    vote_kind: str = _field(
        "shares", "FER+ votes: their shares, or translated to label probabilities", choices=VOTES
    )
    teacher: str = _field(
        "",
        "distillation: .keras files or shipped weights, separated by commas",
    )
    teacher_weight: float = _field(0.5, "weight of the teachers in the target", low=0.0, high=1.0)
    teacher_images: str = _field(
        "original",
        "what the teachers predict: each image and its mirror image once, or every augmented image "
        "anew, which is slower",
        choices=TEACHER_IMAGES,
    )
    init_from: str = _field(
        "", "initial weights: a .keras file, shipped weights, a preset or hf://...; empty: random"
    )
    freeze: str = _field(
        "",
        "layers that keep their initial weights: names or beginnings of names, separated by "
        "commas, such as localization or backbone",
    )
    sampling: str = _field(
        "shuffle",
        "each row once, all classes as often as the largest, or equal class probabilities",
        choices=SAMPLINGS,
    )
    class_weights: str = _field(
        "none", "balanced: rare classes have more weight in the loss", choices=CLASS_WEIGHTS
    )
    mixup: float = _field(
        0.0, "alpha of mixup: blend two images and their targets; 0: none", low=0.0, high=10.0
    )
    cutmix: float = _field(
        0.0, "alpha of CutMix: paste a part of another image; 0: none", low=0.0, high=10.0
    )
    mix_probability: float = _field(
        1.0, "fraction of images with mixup or CutMix", low=0.0, high=1.0
    )
    flip: bool = _field(False, "mirror half of the images")
    crop: int = _field(0, "random crop after padding by this number of pixels", low=0, high=512)
    affine_probability: float = _field(
        1.0, "fraction of images with rotation, shift, zoom and shear", low=0.0, high=1.0
    )
    rotation: float = _field(0.0, "rotate by up to this many degrees", low=0.0, high=180.0)
    shift: float = _field(0.0, "shift by up to this fraction of the size", low=0.0, high=1.0)
    zoom: float = _field(0.0, "zoom in or out by up to this fraction", low=0.0, high=0.9)
    zoom_out: float = _field(0.0, "make the face smaller by up to this fraction", low=0.0, high=0.9)
    shear: float = _field(0.0, "shear by up to this slope", low=0.0, high=1.0)
    brightness: float = _field(
        0.0, "change brightness by up to this fraction of the range", low=0.0, high=1.0
    )
    contrast: float = _field(0.0, "change contrast by up to this fraction", low=0.0, high=1.0)
    noise: float = _field(
        0.0,
        "Gaussian noise on half of the images, with a standard deviation of up to this fraction of "
        "the range",
        low=0.0,
        high=1.0,
    )
    erase: float = _field(0.0, "fraction of images with a random gray rectangle", low=0.0, high=1.0)
    erase_max_area: float = _field(
        0.25,
        "maximum fraction of the area that is erased; the minimum is 0.02",
        above=0.02,
        high=1.0,
    )
    seed: int = _field(0, "seed of weights, order, augmentation and dropout", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.metadata:
                check_field(field, getattr(self, field.name))
        for contradicts, where, problem, advice in CONTRADICTIONS:
            if contradicts(self):
                values = dataclasses.asdict(self)
                raise UserError(where.format(**values), problem.format(**values), advice)
        options = model_entry(self.model).recipes.OPTIONS
        for name, value in self.model_options.items():
            if name not in options:
                problem = f"not an option of model {self.model}{nearest(name, options)}"
                raise UserError(f"--{name}", problem, f"it has: {', '.join(options)}")
            kind, choices, _ = options[name]
            check_type(name, kind, value)
            check_choice(name, value, choices)

    def replace(self, **changes: Any) -> "Recipe":
        """A copy with other values; keys that are options of the model go to ``model_options``."""
        names = {field.name for field in dataclasses.fields(self)}
        options = {key: value for key, value in changes.items() if key not in names}
        fields = {key: value for key, value in changes.items() if key in names}
        return dataclasses.replace(self, **fields, model_options={**self.model_options, **options})

    def to_json(self) -> str:
        """The fields as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """A recipe from saved JSON.

        Raises:
            UserError: an unknown field, or a value out of range.
        """
        values = {RENAMED_FIELDS.get(name, name): value for name, value in values.items()}
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            problem = f"unknown field {unknown[0]!r}{nearest(unknown[0], known)}"
            raise UserError("recipe", problem, "fix or remove it")
        return cls(**values)
