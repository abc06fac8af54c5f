"""Draws the lower face: how action units move the mouth and wrinkle the skin; also the beard.

All positions are in the face coordinates of `canvas`. The intensity of an action unit is 0 (absent)
to about 1 (extreme).

Reference: Ekman and Friesen, Facial Action Coding System, 1978, for what each action unit moves.
"""

from collections.abc import Mapping

import numpy as np

from generate_data.samples.canvas import Identity, Sketch
from generate_data.samples.upper_face import CURVE, DOME


def _mouth_curves(identity: Identity, au: Mapping[int, float]) -> tuple[np.ndarray, ...]:
    """x, outer upper, inner upper, inner lower and outer lower y, each of shape (15,)."""
    wider = (
        1
        + 0.42 * au[12]
        + 0.38 * au[20]
        + 0.1 * au[15]
        - 0.22 * au[23]
        - 0.1 * au[24]
        - 0.2 * au[27]
        - 0.08 * au[26]
    )
    half = identity.mouth_width * wider
    corner = -0.17 * au[12] + 0.15 * au[15] + 0.05 * au[20] * (1 - au[12]) + identity.mouth_rest
    middle = (
        identity.mouth_y
        + 0.04 * au[12]
        - 0.05 * au[17]
        - 0.04 * au[15]
        - 0.03 * au[9]
        - 0.03 * au[10]
    )
    base = middle + (corner - 0.3 * (middle - identity.mouth_y)) * np.abs(CURVE) ** 1.7
    gap = au[25] * (0.05 + 0.03 * au[12]) + 0.20 * au[26] + 0.36 * au[27]
    gap *= 1.0 - 0.8 * au[24]
    square = DOME ** (1.0 - 0.6 * min(1.0, au[16] + au[20] + 0.6 * au[10]))
    peak = np.exp(-((np.abs(CURVE) - 0.55) ** 2) / 0.08)
    inner_upper = base - (0.25 * gap + 0.05 * au[25] * au[10]) * square
    inner_lower = base + (0.75 * gap + 0.05 * au[25] * au[16]) * square
    press = (1 - 0.75 * au[24]) * (1 - 0.5 * au[23]) * identity.lips
    lift = 0.07 * au[10] * peak + 0.03 * au[9] * DOME
    cupid = 1.0 - 0.25 * np.exp(-(CURVE**2) / 0.02)
    outer_upper = np.minimum(
        inner_upper - 0.055 * press * (1 - 0.35 * au[12]) * DOME * cupid - lift, inner_upper
    )
    pout = 1 - 0.3 * au[12] - 0.25 * au[20] + 0.35 * au[17] + 0.3 * au[16]
    outer_lower = inner_lower + 0.078 * press * pout * DOME**1.3
    return half * CURVE, outer_upper, inner_upper, inner_lower, outer_lower


def draw_mouth(
    sketch: Sketch, identity: Identity, au: Mapping[int, float], jaw_drop: float
) -> None:
    """Draws the lips, and the teeth and tongue of an open mouth."""
    x, outer_upper, inner_upper, inner_lower, outer_lower = _mouth_curves(identity, au)
    lip = identity.skin * identity.lip_tone

    def band(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]])], axis=1
        )

    sketch.fill(band(outer_upper, inner_upper), lip * 0.86, height=0.05)
    sketch.fill(band(inner_lower, outer_lower), lip * 1.04, height=0.05)
    gap = float((inner_lower - inner_upper).max())
    if gap > 0.02:
        sketch.fill(band(inner_upper, inner_lower), 14 + 0.1 * identity.skin, height=0.03)
        teeth = 0.09 * max(au[12], 0.8 * au[10], 0.5 * au[20], 0.35 * au[27], 0.3 * au[26])
        if teeth > 0.015:
            sketch.fill(
                band(inner_upper, np.minimum(inner_upper + teeth, inner_lower)),
                70 + 0.75 * identity.skin,
                height=0.03,
            )
        if gap > 0.16:
            sketch.fill(
                band(np.maximum(inner_lower - 0.09 * DOME, inner_upper), inner_lower),
                lip * 0.62,
                height=0.03,
            )
        if au[16] > 0.3 or (au[20] > 0.4 and au[25] > 0.4):
            edge = np.maximum(inner_lower - 0.05, inner_upper)
            sketch.fill(band(edge, inner_lower), 50 + 0.65 * identity.skin, height=0.03)
    else:
        line = np.stack([x, 0.5 * (inner_upper + inner_lower)], axis=1)
        sketch.line(line, identity.skin * 0.3, 0.5 + 0.35 * au[24], height=0.05)
    _draw_mouth_shadows(sketch, identity, au, jaw_drop)


def _draw_mouth_shadows(
    sketch: Sketch, identity: Identity, au: Mapping[int, float], jaw_drop: float
) -> None:
    """Draws the shadows below the lower lip, on the chin and at the corners of the mouth."""
    x, _, inner_upper, _, outer_lower = _mouth_curves(identity, au)
    low = float(outer_lower.max())
    sketch.soft([[-0.08, low + 0.05], [0.08, low + 0.05]], -0.17 - 0.15 * au[17], 0.05)
    sketch.soft([[0.0, 0.86 + jaw_drop]], 0.12 - 0.3 * au[17] * (1 + identity.age), 0.07)
    for side in (-1, 1):
        corner = (side * (x[-1] + 0.025), float(inner_upper[-1]))
        sketch.soft(
            [corner], -0.22 - 0.35 * au[14] - 0.2 * au[12] - 0.2 * au[15] - 0.2 * au[24], 0.032
        )
        sketch.fold(
            corner, (corner[0] + side * 0.04, corner[1] + 0.13), -0.4 * au[15] - 0.1 * identity.age
        )


def draw_wrinkles(sketch: Sketch, identity: Identity, au: Mapping[int, float]) -> None:
    """Draws wrinkles and folds."""
    age = identity.age
    depth = 0.5 + 0.7 * age
    raised = max(au[1], au[2])
    for row in range(3):
        x = (0.13 + 0.3 * au[2]) * np.linspace(-1, 1, 7)
        wave = -0.55 - 0.09 * row - 0.04 * raised + 0.02 * np.cos(3 * np.pi * x)
        sketch.line(
            np.stack([x, wave], axis=1),
            identity.skin * (1 - depth * (0.26 * raised + 0.06 * age)),
            0.45,
        )
    sketch.soft([[0.0, -0.36]], -0.28 * au[4] * depth, 0.07)
    for side in (-1, 1):
        sketch.fold((side * 0.055, -0.47), (side * 0.045, -0.27), -depth * 0.42 * au[4])
        for row in range(2):
            y = -0.12 + 0.1 * row - 0.03 * au[9]
            sketch.fold((side * 0.03, y - 0.03), (side * 0.14, y + 0.02), -depth * 0.5 * au[9])
        fold = (
            0.10 * age + 0.42 * au[12] + 0.5 * au[9] + 0.32 * au[10] + 0.1 * au[15] + 0.12 * au[20]
        )
        outward = 0.33 + 0.11 * au[12] - 0.03 * au[9]
        sketch.fold(
            (side * 0.15, 0.2 - 0.06 * au[9]),
            (side * outward, 0.52 - 0.04 * au[12]),
            -depth * fold,
            0.028,
            -0.12 * side,
        )
        sketch.soft([[side * 0.42, 0.2 - 0.05 * au[6]]], 0.06 + 0.24 * au[6] + 0.12 * au[12], 0.12)
        sketch.soft([[side * 0.5, 0.45]], -0.12 + 0.15 * au[12] - 0.1 * au[27], 0.14)
        for row in (-1, 0, 1):
            start = (side * (identity.eye_x + 0.17), identity.eye_y + 0.02 + 0.03 * row)
            sketch.fold(
                start, (start[0] + side * 0.1, start[1] + 0.045 * row), -depth * 0.4 * au[6], 0.015
            )


def draw_beard(sketch: Sketch, identity: Identity, jaw_drop: float) -> None:
    """Draws the beard. It must be drawn before the mouth, so that the lips stay visible."""
    if identity.beard in ("stubble", "full"):
        strength = -0.18 if identity.beard == "stubble" else -0.5 * (1.2 - identity.hair / 210.0)
        t = np.linspace(-1, 1, 13)
        x = t * identity.width * 0.75
        sketch.soft(np.stack([x, 0.86 + jaw_drop - 0.45 * np.abs(t) ** 2.2], axis=1), strength, 0.1)
    if identity.beard in ("moustache", "full"):
        t = np.linspace(-1, 1, 9)
        upper = np.stack([0.27 * t, 0.37 + 0.1 * np.abs(t) ** 1.5], axis=1)
        lower = np.stack([0.29 * t, 0.44 + 0.09 * np.abs(t) ** 1.5], axis=1)[::-1]
        sketch.fill(
            np.concatenate([upper, lower]) + [0, identity.mouth_y - 0.53],
            identity.hair * 0.8 + 8,
            height=0.06,
        )
