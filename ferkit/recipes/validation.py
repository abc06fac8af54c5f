"""Checks of recipe fields: type, range, contradictions."""

from ferkit.errors import UserError

# What makes no sense together -> the user's words for it.
_CONTRADICTIONS = (
    (
        lambda r: r.optimizer == "adamw" and not r.weight_decay,
        "--optimizer adamw: is adam with --weight_decay, and that is 0; give one, 0.05 for example, or take adam.",
    ),
    (
        lambda r: r.weight_decay and r.l2,
        "--weight_decay {weight_decay} and --l2 {l2}: two kinds of the same decay; set one of them to 0.",
    ),
    (
        lambda r: r.warmup_epochs > r.epochs,
        "--warmup_epochs {warmup_epochs:g}: longer than the training of --epochs {epochs}; make it shorter.",
    ),
    (
        lambda r: r.min_learning_rate > r.learning_rate,
        "--min_learning_rate {min_learning_rate:g}: above --learning_rate {learning_rate:g}; it is what that falls to.",
    ),
    (
        lambda r: r.class_weights != "none" and r.sampling != "shuffle",
        "--class_weights {class_weights} and --sampling {sampling}: both balance the classes; drop one of the two.",
    ),
    (
        lambda r: (
            r.schedule == "plateau" and r.early_stopping and r.early_stopping <= r.decay_epochs
        ),
        "--early_stopping {early_stopping}: stops before --schedule plateau first acts, after --decay_epochs {decay_epochs:g} "
        "epochs without a better one; give more.",
    ),
)


def _check_type(name, kind, value):
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"--{name} {value!r}: expected {kind.__name__}.")


def _check(field, value):
    _check_type(
        field.name, field.type if isinstance(field.type, type) else type(field.default), value
    )
    limits = field.metadata
    if limits["choices"] and value not in limits["choices"]:
        raise UserError(
            f"--{field.name} {value}: not a choice; choose from {', '.join(map(str, limits['choices']))}."
        )
    bounds = [
        (limits["low"], lambda v, b: v >= b, "at least"),
        (limits["above"], lambda v, b: v > b, "greater than"),
        (limits["high"], lambda v, b: v <= b, "at most"),
    ]
    wanted = [f"{word} {bound:g}" for bound, _, word in bounds if bound is not None]
    # A NaN fails every comparison, so it is refused here as well.
    if any(bound is not None and not holds(value, bound) for bound, holds, _ in bounds):
        raise UserError(
            f"--{field.name} {value}: out of range; give a number {' and '.join(wanted)}."
        )
