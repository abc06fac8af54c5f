"""Checks of recipe fields: type, range, contradictions."""

import dataclasses
from typing import Any

from ferkit.errors import UserError

# Combinations that contradict each other: condition, where, problem and advice of the error.
CONTRADICTIONS: tuple[tuple[Any, str, str, str], ...] = (
    (
        lambda recipe: recipe.optimizer == "adamw" and not recipe.weight_decay,
        "--optimizer adamw",
        "adam with --weight_decay, which is 0",
        "give one, for example 0.05, or use adam",
    ),
    (
        lambda recipe: recipe.weight_decay and recipe.l2,
        "--weight_decay {weight_decay} and --l2 {l2}",
        "two kinds of weight decay",
        "set one of them to 0",
    ),
    (
        lambda recipe: recipe.teacher_images == "augmented" and not recipe.teacher,
        "--teacher_images augmented",
        "no teacher",
        "give one with --teacher, or remove this",
    ),
    (
        lambda recipe: recipe.warmup_epochs > recipe.epochs,
        "--warmup_epochs {warmup_epochs:g}",
        "longer than the training of --epochs {epochs}",
        "give fewer",
    ),
    (
        lambda recipe: recipe.min_learning_rate > recipe.learning_rate,
        "--min_learning_rate {min_learning_rate:g}",
        "above --learning_rate {learning_rate:g}",
        "give a smaller one",
    ),
    (
        lambda recipe: recipe.class_weights != "none" and recipe.sampling != "shuffle",
        "--class_weights {class_weights} and --sampling {sampling}",
        "both balance the classes",
        "remove one of the two",
    ),
    (
        lambda recipe: (
            recipe.schedule == "plateau"
            and recipe.early_stopping
            and recipe.early_stopping <= recipe.decay_epochs
        ),
        "--early_stopping {early_stopping}",
        "stops before --schedule plateau acts, after --decay_epochs {decay_epochs:g} epochs "
        "without improvement",
        "give more",
    ),
)


def check_type(name: str, kind: type, value: Any) -> None:
    """Raise UserError if a value has another type; an int is accepted as a float."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"--{name} {value!r}", f"expected {kind.__name__}")


def check_choice(name: str, value: Any, choices: tuple | None) -> None:
    """Raise UserError if there are choices, and the value is not one of them."""
    if choices and value not in choices:
        advice = f"choose from {', '.join(map(str, choices))}"
        raise UserError(f"--{name} {value}", "not a valid choice", advice)


def check_field(field: dataclasses.Field, value: Any) -> None:
    """Raise UserError if a value does not have the type, choices or range of a recipe field."""
    kind = field.type if isinstance(field.type, type) else type(field.default)
    check_type(field.name, kind, value)
    limits = field.metadata
    check_choice(field.name, value, limits["choices"])
    bounds = [
        (limits["low"], lambda v, b: v >= b, "at least"),
        (limits["above"], lambda v, b: v > b, "greater than"),
        (limits["high"], lambda v, b: v <= b, "at most"),
    ]
    words = [f"{word} {bound:g}" for bound, _, word in bounds if bound is not None]
    if any(bound is not None and not holds(value, bound) for bound, holds, _ in bounds):
        advice = f"give a number {' and '.join(words)}"
        raise UserError(f"--{field.name} {value}", "out of range", advice)
