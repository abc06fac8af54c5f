"""Draws the face: how each facial action unit moves brows, eyes, nose and mouth.

All positions are in the face coordinates of `canvas`. The intensity of an action unit is 0 (absent)
to about 1 (extreme).

Reference: Ekman and Friesen, Facial Action Coding System, 1978, for what each action unit moves.
"""

from collections.abc import Mapping

import numpy as np

from generate_data.samples.canvas import Identity, Pose, Sketch, light, photograph

_CURVE = np.linspace(-1.0, 1.0, 15)
_DOME = np.sqrt(1.0 - _CURVE**2)


def _outline(identity: Identity, jaw_drop: float, grow: float = 0.0) -> np.ndarray:
    """Returns the outline of the head: a half ellipse on top, a superellipse down to the chin."""
    angle = np.linspace(0, np.pi, 20)
    cosine, sine = np.cos(angle), np.sin(angle)
    power = 2.0 / identity.jaw
    width = identity.width + grow
    below = np.stack(
        [width * np.sign(cosine) * np.abs(cosine) ** power, sine ** (power * 0.9)], axis=1
    )
    below[:, 0] *= 1.0 - 0.22 * sine
    below[:, 1] *= identity.chin + jaw_drop + grow
    above = np.stack([-width * cosine, -(1.12 + grow) * sine], axis=1)
    return np.concatenate([below, above])


def _draw_head(
    sketch: Sketch, identity: Identity, jaw_drop: float, rng: np.random.Generator
) -> None:
    skin, width = identity.skin, identity.width
    shoulders = rng.uniform(20.0, 220.0)
    if identity.hair_style in ("long", "curly"):
        volume = rng.uniform(0.12, 0.3)
        drop = 1.4 if identity.hair_style == "long" else rng.uniform(0.4, 0.7)
        back = np.array(
            [[-width - volume, drop], [-width - volume, -0.4], [-0.5, -1.25], [0.5, -1.25]]
        )
        back = np.concatenate([back, [[width + volume, -0.4], [width + volume, drop]]])
        sketch.fill(back, identity.hair, height=-0.2, on_face=0.0)
    else:
        for side in (-1, 1):
            sketch.ellipse(
                (side * (width + 0.03), -0.02), (0.1, 0.2), skin * 0.78, height=-0.25, on_face=0.0
            )
    neck = np.array([[-0.45, 0.5], [0.45, 0.5], [0.55, 1.6], [-0.55, 1.6]])
    sketch.fill(neck, skin * 0.7, height=-0.3, on_face=0.0)
    sketch.fill(
        np.array([[-0.5, 1.15], [0.5, 1.15], [1.6, 1.7], [-1.6, 1.7]]),
        shoulders,
        height=-0.3,
        on_face=0.0,
    )
    sketch.fill(_outline(identity, jaw_drop), skin, on_face=0.0)


def _draw_hair(sketch: Sketch, identity: Identity, rng: np.random.Generator) -> None:
    style = identity.hair_style
    if style == "bald":
        sketch.soft([[0.1, -0.8]], 0.15, 0.2)
        return
    angle = np.linspace(0, np.pi, 17)
    rim = identity.width + 0.05
    bump = rng.uniform(0.0, 0.09, 17) if style == "curly" else rng.uniform(0.0, 0.02, 17)
    top = np.stack([-(rim + bump) * np.cos(angle), -0.35 - (0.9 + bump) * np.sin(angle)], axis=1)
    line = {"fringe": rng.uniform(-0.58, -0.46), "hat": rng.uniform(-0.68, -0.55)}.get(
        style, rng.uniform(-0.85, -0.68)
    )
    t = np.linspace(1.0, -1.0, 17)
    edge = (
        line + 0.34 * np.abs(t) ** rng.uniform(3, 7) * (style != "hat") + rng.normal(0.0, 0.018, 17)
    )
    if style == "part":
        edge = edge + rng.choice([-1, 1]) * rng.uniform(0.05, 0.14) * t
    if style == "long":
        edge = line + rng.uniform(0.9, 1.5) * np.abs(t) ** rng.uniform(4, 9)
    sketch.fill(
        np.concatenate([top, np.stack([(rim - 0.02) * t, edge], axis=1)]),
        identity.hair,
        on_face=0.0,
    )
    if style == "hat":
        brim = np.array(
            [
                [-rim - 0.08, line - 0.09],
                [rim + 0.08, line - 0.09],
                [rim + 0.08, line],
                [-rim - 0.08, line],
            ]
        )
        sketch.fill(brim, identity.hair * 0.6, on_face=0.0)
    sketch.soft([[rng.uniform(-0.4, 0.4), -0.95]], rng.uniform(0.0, 0.5), 0.18, on_face=0.0)


def _draw_brow(sketch: Sketch, identity: Identity, au: Mapping[int, float], side: int) -> None:
    inner = -0.15 * au[1] + 0.13 * au[4] * (1.0 - 0.9 * au[1]) + 0.05 * au[9] - identity.brow_tilt
    outer = (
        -0.15 * au[2]
        + 0.03 * au[4]
        + 0.03 * au[9]
        + 0.04 * au[1] * (1 - au[2])
        + identity.brow_tilt
    )
    t = np.linspace(0.0, 1.0, 7)
    x = 0.15 - 0.05 * au[4] + t * (0.45 + 0.04 * au[4])
    arch = (
        identity.brow_arch * (1.0 + 0.8 * au[2] - 0.6 * au[4]) * 4 * t * (1 - t) * (0.6 + 0.8 * t)
    )
    y = identity.brow_y + inner * (1 - t) ** 1.3 + outer * t - arch
    thick = (
        identity.brow_width * (1.0 + 0.25 * au[4]) * np.array([0.8, 1.0, 1.05, 1.0, 0.8, 0.55, 0.2])
    )
    upper, lower = (
        np.stack([side * x, y - thick], axis=1),
        np.stack([side * x, y + thick], axis=1)[::-1],
    )
    sketch.fill(np.concatenate([upper, lower]), identity.brow_tone, height=0.04)
    sketch.soft([[side * 0.3, identity.brow_y + 0.1 + 0.3 * inner]], -0.16 - 0.1 * au[4], 0.09)


def _draw_eye(
    sketch: Sketch,
    identity: Identity,
    au: Mapping[int, float],
    side: int,
    gaze: tuple[float, float],
) -> None:
    size, skin = identity.eye_size, identity.skin
    narrow = (1 - 0.5 * au[7]) * (1 - 0.25 * au[6]) * (1 - 0.3 * au[9]) * (1 - au[43])
    above = size * 0.074 * (1.0 + 0.85 * au[5] - 0.15 * au[4]) * narrow
    below = (
        size
        * 0.046
        * (1.0 + 0.4 * au[5])
        * (1 - 0.55 * au[7])
        * (1 - 0.75 * au[6])
        * (1 - 0.5 * au[9])
        * (1 - au[43])
    )
    half = size * 0.135
    center_x, center_y = identity.eye_x, identity.eye_y + 0.02 * au[43]
    slant = identity.eye_slant - 0.035 * au[1] * au[4]
    x = center_x + half * _CURVE
    tilt = center_y - slant * _CURVE
    upper = tilt - above * _DOME**0.8 - 0.03 * au[1] * au[4] * (1 - _CURVE) * _DOME
    lower = tilt + below * _DOME**0.9

    def mirrored(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        return np.stack([side * xs, ys], axis=1)

    sketch.soft([[side * center_x, center_y - 0.02]], -0.2, 0.13)
    sketch.fill(
        mirrored(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]])),
        min(60 + 0.85 * skin, 235),
    )
    angle = np.linspace(0, 2 * np.pi, 20)
    for radius, tone in ((0.066 * size, identity.iris * 130), (0.034 * size, 8)):
        iris_x = center_x + side * gaze[0] + radius * np.cos(angle)
        iris_y = center_y - 0.012 + gaze[1] + radius * np.sin(angle)
        iris_y = np.clip(iris_y, np.interp(iris_x, x, upper), np.interp(iris_x, x, lower))
        sketch.fill(mirrored(iris_x, iris_y), tone)
    if au[43] < 0.6:
        sketch.ellipse(
            (side * (center_x + side * gaze[0]) + 0.02, center_y - 0.03), (0.014, 0.014), 245
        )
    sketch.line(mirrored(x, upper), skin * 0.22, 0.75)
    sketch.line(mirrored(x[3:], lower[3:]), skin * 0.62, 0.3)
    sketch.line(mirrored(x[2:-1], upper[2:-1] - 0.035 * (1 - 0.6 * au[5])), skin * 0.66, 0.3)
    sketch.fold(
        (side * 0.24, center_y + 0.1),
        (side * 0.44, center_y + 0.1),
        -0.12 - 0.3 * au[6],
        0.028,
        0.15 * side,
    )


def _draw_nose(
    sketch: Sketch, identity: Identity, au: Mapping[int, float], rng: np.random.Generator
) -> None:
    width = identity.nose_width * (1.0 + 0.3 * au[9] + 0.12 * au[10] + 0.1 * au[12])
    tip = identity.nose_y - 0.06 * au[9]
    sketch.fold((0.0, -0.12), (0.0, tip - 0.06), 0.12, 0.035)
    shaded = rng.choice([-1, 1])
    sketch.fold(
        (shaded * 0.07, -0.2), (shaded * (width + 0.01), tip - 0.02), -rng.uniform(0.12, 0.4), 0.035
    )
    sketch.soft([[0.0, tip - 0.03]], 0.15, 0.05, height=0.25)
    sketch.soft([[0.0, tip + 0.075]], -0.22, 0.05, height=0.1)
    for side in (-1, 1):
        sketch.ellipse(
            (side * width * 0.5, tip + 0.03), (0.034, 0.018), identity.skin * 0.3, height=0.2
        )
        wing = np.array(
            [[width * 0.85, tip - 0.055], [width * 1.05, tip], [width * 0.85, tip + 0.035]]
        ) * [side, 1]
        sketch.line(wing, identity.skin * 0.6, 0.4, height=0.12)


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
    base = middle + (corner - 0.3 * (middle - identity.mouth_y)) * np.abs(_CURVE) ** 1.7
    gap = au[25] * (0.05 + 0.03 * au[12]) + 0.20 * au[26] + 0.36 * au[27]
    gap *= 1.0 - 0.8 * au[24]
    square = _DOME ** (1.0 - 0.6 * min(1.0, au[16] + au[20] + 0.6 * au[10]))
    peak = np.exp(-((np.abs(_CURVE) - 0.55) ** 2) / 0.08)
    inner_upper = base - (0.25 * gap + 0.05 * au[25] * au[10]) * square
    inner_lower = base + (0.75 * gap + 0.05 * au[25] * au[16]) * square
    press = (1 - 0.75 * au[24]) * (1 - 0.5 * au[23]) * identity.lips
    lift = 0.07 * au[10] * peak + 0.03 * au[9] * _DOME
    cupid = 1.0 - 0.25 * np.exp(-(_CURVE**2) / 0.02)
    outer_upper = np.minimum(
        inner_upper - 0.055 * press * (1 - 0.35 * au[12]) * _DOME * cupid - lift, inner_upper
    )
    pout = 1 - 0.3 * au[12] - 0.25 * au[20] + 0.35 * au[17] + 0.3 * au[16]
    outer_lower = inner_lower + 0.078 * press * pout * _DOME**1.3
    return half * _CURVE, outer_upper, inner_upper, inner_lower, outer_lower


def _draw_mouth(
    sketch: Sketch, identity: Identity, au: Mapping[int, float], jaw_drop: float
) -> None:
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
                band(np.maximum(inner_lower - 0.09 * _DOME, inner_upper), inner_lower),
                lip * 0.62,
                height=0.03,
            )
        if au[16] > 0.3 or (au[20] > 0.4 and au[25] > 0.4):
            edge = np.maximum(inner_lower - 0.05, inner_upper)
            sketch.fill(band(edge, inner_lower), 50 + 0.65 * identity.skin, height=0.03)
    else:
        line = np.stack([x, 0.5 * (inner_upper + inner_lower)], axis=1)
        sketch.line(line, identity.skin * 0.3, 0.5 + 0.35 * au[24], height=0.05)
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


def _draw_wrinkles(sketch: Sketch, identity: Identity, au: Mapping[int, float]) -> None:
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


def _draw_beard(sketch: Sketch, identity: Identity, jaw_drop: float) -> None:
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


def _draw_glasses(sketch: Sketch, identity: Identity, rng: np.random.Generator) -> None:
    tone, width = rng.uniform(5.0, 90.0), rng.uniform(0.35, 1.0)
    radii = np.array([rng.uniform(0.19, 0.24), rng.uniform(0.14, 0.2)])
    power = rng.uniform(0.45, 1.0)
    angle = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack(
        [
            np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
            np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power,
        ],
        axis=1,
    )
    for side in (-1, 1):
        center = np.array([side * identity.eye_x, identity.eye_y + 0.03])
        sketch.line(ring * radii + center, tone, width, height=0.12)
        temple = np.array(
            [
                [side * (identity.eye_x + radii[0]), center[1] - 0.05],
                [side * identity.width, center[1] - 0.05],
            ]
        )
        sketch.line(temple, tone, width)
    inner = identity.eye_x - radii[0]
    sketch.line(
        np.array([[-inner, identity.eye_y], [inner, identity.eye_y]]), tone, width, height=0.15
    )


def _draw_occlusion(sketch: Sketch, identity: Identity, rng: np.random.Generator) -> None:
    kind, side = rng.random(), rng.choice([-1, 1])
    if kind < 0.05:
        tip = np.array([side * rng.uniform(0.15, 0.55), rng.uniform(0.25, 0.7)])
        for finger in range(4):
            start = tip + [side * (0.5 + 0.1 * finger), 0.9]
            end = tip + np.array([side * 0.13 * finger, 0.06 * finger**1.5])
            sketch.line(
                np.stack([start, end]), identity.skin * (0.95 - 0.05 * finger), 3.4, on_face=0.0
            )
    elif kind < 0.12:
        for _ in range(rng.integers(2, 6)):
            x = side * rng.uniform(0.05, 0.6)
            strand = np.array(
                [
                    [x, -0.9],
                    [x + side * 0.12, -0.5],
                    [x + side * rng.uniform(0.1, 0.25), rng.uniform(-0.3, 0.1)],
                ]
            )
            sketch.line(strand, identity.hair, rng.uniform(0.5, 1.4), on_face=0.0)


def render(action_units: Mapping[int, float], rng: np.random.Generator) -> np.ndarray:
    """Draws a face that shows these action units.

    Args:
        action_units: the intensity of every unit of `expressions.ACTION_UNITS`, absent ones as 0.
        rng: decides everything else.

    Returns:
        uint8 (48, 48).
    """
    au, identity, pose = action_units, Identity(rng), Pose(rng)
    sketch = Sketch(pose, rng.uniform(10.0, 240.0))
    jaw_drop = 0.07 * au[26] + 0.17 * au[27]
    _draw_head(sketch, identity, jaw_drop, rng)
    gaze = tuple(np.clip(rng.normal(0.0, [0.025, 0.010]), -0.06, 0.06))
    _draw_beard(sketch, identity, jaw_drop)
    _draw_nose(sketch, identity, au, rng)
    _draw_mouth(sketch, identity, au, jaw_drop)
    for side in (-1, 1):
        _draw_eye(sketch, identity, au, side, gaze)
        _draw_brow(sketch, identity, au, side)
    _draw_wrinkles(sketch, identity, au)
    _draw_hair(sketch, identity, rng)
    if rng.random() < 0.11:
        _draw_glasses(sketch, identity, rng)
    _draw_occlusion(sketch, identity, rng)
    return photograph(light(sketch.finish(), pose, rng), rng)
