"""A recipe: everything that decides a training but the data. Frozen, validated on creation, saved as JSON."""

import dataclasses
import json
from typing import Any

from ferkit.errors import UserError, nearest
from ferkit.models.registry import model_entry
from ferkit.recipes.validation import _CONTRADICTIONS, _check, _check_type

OPTIMIZERS = ("adam", "adamw", "sgd", "momentum")
SCHEDULES = ("constant", "cosine", "step", "exponential", "plateau")
SAMPLINGS = ("shuffle", "oversample", "inverse_frequency")
CLASS_WEIGHTS = ("none", "balanced")
VOTES = ("shares", "translated")
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


def _field(default, help_text, choices=None, low=None, high=None, above=None):
    """A recipe field with what its flag and its check need: bounds are inclusive but `above`."""
    return dataclasses.field(
        default=default,
        metadata={"help": help_text, "choices": choices, "low": low, "high": high, "above": above},
    )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one training.

    Raises:
        UserError: a value out of its range, on creation; names the flag, the value and the range.

    Example:
        >>> Recipe(model="deep_emotion", epochs=5).batch_size
        128
    """

    model: str = "deep_emotion"
    name: str = "custom"
    model_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    image_size: int = _field(
        0, "pixels of the model's input along a side; 0: as the dataset has it", low=0, high=4096
    )
    channels: int = _field(0, "1 gray, 3 colour; 0: as the dataset has it", choices=(0, 1, 3))
    epochs: int = _field(100, "passes over the training rows", low=1)
    batch_size: int = _field(128, "rows a step", low=1)
    learning_rate: float = _field(0.001, "step size of the optimizer", above=0.0, high=100.0)
    optimizer: str = _field(
        "adam", "sgd is with Nesterov momentum, momentum without", choices=OPTIMIZERS
    )
    momentum: float = _field(0.9, "of sgd and momentum", low=0.0, high=0.9999)
    weight_decay: float = _field(
        0.0, "decoupled, a step; spares biases and normalization", low=0.0, high=1.0
    )
    l2: float = _field(
        0.0, "weight decay as L2 in the gradient of all weights (PyTorch's SGD)", low=0.0, high=1.0
    )
    clip_norm: float = _field(0.0, "largest norm of the whole gradient; 0: any", low=0.0)
    accumulate_steps: int = _field(
        1, "parts that a batch is computed in, one after another: less memory", low=1
    )
    precision: str = _field(
        "float32", "what layers compute in; weights stay float32", choices=PRECISIONS
    )
    ema: float = _field(
        0.0,
        "momentum of averaged weights, which are then measured and kept; 0: none",
        low=0.0,
        high=0.99999,
    )
    schedule: str = _field(
        "constant", "how the learning rate falls over the epochs", choices=SCHEDULES
    )
    decay: float = _field(
        0.5, "factor of the schedules step, exponential and plateau", above=0.0, high=1.0
    )
    decay_epochs: float = _field(
        10.0, "epochs to one more factor; plateau: epochs without a better one", above=0.0
    )
    min_learning_rate: float = _field(0.0, "no schedule falls below this", low=0.0, high=100.0)
    warmup_epochs: float = _field(
        0.0, "epochs over which the learning rate rises from zero", low=0.0
    )
    early_stopping: int = _field(
        0, "stop after so many epochs without a better one; 0: never", low=0
    )
    label_smoothing: float = _field(
        0.0, "share of the target spread over all classes", low=0.0, high=0.9
    )
    vote_weight: float = _field(
        0.0, "share of the target that FER+ votes decide (setup --ferplus)", low=0.0, high=1.0
    )
    vote_kind: str = _field(
        "shares", "of FER+: as counted, or the label that goes with such votes", choices=VOTES
    )
    teacher: str = _field(
        "",
        "trained models whose answers are targets too: .keras files or names of weights, with commas",
    )
    teacher_weight: float = _field(
        0.5, "share of the target that the teachers decide, where there are any", low=0.0, high=1.0
    )
    init_from: str = _field(
        "", "weights to begin with: a .keras file or a name of weights; empty: new ones"
    )
    sampling: str = _field(
        "shuffle",
        "every row once, all classes as often as the largest, or equal odds",
        choices=SAMPLINGS,
    )
    class_weights: str = _field(
        "none", "balanced: rare classes count more in the loss", choices=CLASS_WEIGHTS
    )
    mixup: float = _field(
        0.0, "alpha of mixup: blend two images and their targets; 0: none", low=0.0, high=10.0
    )
    cutmix: float = _field(
        0.0, "alpha of CutMix: paste a part of another image; 0: none", low=0.0, high=10.0
    )
    mix_probability: float = _field(
        1.0, "share of images that mixup or CutMix acts on", low=0.0, high=1.0
    )
    flip: bool = _field(False, "mirror half of the images")
    crop: int = _field(0, "shift by whole pixels, up to this many: pad and crop", low=0, high=512)
    affine_probability: float = _field(
        1.0, "share of images that rotation, shift, zoom and shear act on", low=0.0, high=1.0
    )
    rotation: float = _field(0.0, "rotate by up to this many degrees", low=0.0, high=180.0)
    shift: float = _field(0.0, "shift by up to this share of the size", low=0.0, high=1.0)
    zoom: float = _field(0.0, "zoom in or out by up to this share", low=0.0, high=0.9)
    zoom_out: float = _field(0.0, "make the face smaller by up to this share", low=0.0, high=0.9)
    shear: float = _field(0.0, "shear by up to this slope", low=0.0, high=1.0)
    brightness: float = _field(
        0.0, "brighten or darken by up to this share of the range", low=0.0, high=1.0
    )
    contrast: float = _field(0.0, "scale contrast by up to this share", low=0.0, high=1.0)
    erase: float = _field(
        0.0, "share of images that get a random gray rectangle", low=0.0, high=1.0
    )
    erase_max_area: float = _field(
        0.25, "largest share of the area that is erased; the smallest is 0.02", above=0.02, high=1.0
    )
    seed: int = _field(0, "decides weights, order, augmentation and dropout", low=0, high=2**31 - 1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.metadata:
                _check(field, getattr(self, field.name))
        for contradicts, words in _CONTRADICTIONS:
            if contradicts(self):
                raise UserError(words.format(**dataclasses.asdict(self)))
        options = model_entry(self.model).recipes.OPTIONS
        for name, value in self.model_options.items():
            if name not in options:
                raise UserError(
                    f"--{name}: not an option of model {self.model}{nearest(name, options)}; it has: {', '.join(options)}."
                )
            kind, choices, _ = options[name]
            _check_type(name, kind, value)
            if choices and value not in choices:
                raise UserError(
                    f"--{name} {value}: not a choice; choose from {', '.join(map(str, choices))}."
                )

    def replace(self, **changes: Any) -> "Recipe":
        """A copy with other values; keys that are options of the model go to ``model_options``."""
        own = {field.name for field in dataclasses.fields(self)}
        options = {key: value for key, value in changes.items() if key not in own}
        fields = {key: value for key, value in changes.items() if key in own}
        return dataclasses.replace(self, **fields, model_options={**self.model_options, **options})

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """From saved JSON; a field this version does not know is an error that names it."""
        values = {RENAMED_FIELDS.get(name, name): value for name, value in values.items()}
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UserError(
                f"recipe: unknown field {unknown[0]!r}{nearest(unknown[0], known)}; mend or remove it."
            )
        return cls(**values)
