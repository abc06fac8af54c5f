"""Draws the upper face: how action units move brows, eyes and nose; also head, hair and glasses.

All positions are in the face coordinates of `canvas`. The intensity of an action unit is 0 (absent)
to about 1 (extreme).

Reference: Ekman and Friesen, Facial Action Coding System, 1978, for what each action unit moves.
"""

from collections.abc import Mapping

import numpy as np

from generate_data.samples.canvas import Identity, Sketch

CURVE = np.linspace(-1.0, 1.0, 15)
DOME = np.sqrt(1.0 - CURVE**2)


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


def draw_head(
    sketch: Sketch, identity: Identity, jaw_drop: float, rng: np.random.Generator
) -> None:
    """Draws the shoulders, the neck, the ears or long hair, and the head."""
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


def draw_hair(sketch: Sketch, identity: Identity, rng: np.random.Generator) -> None:
    """Draws the hair or a hat."""
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


def draw_brow(sketch: Sketch, identity: Identity, au: Mapping[int, float], side: int) -> None:
    """Draws one brow; side is -1 or 1."""
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


def _eyelids(identity: Identity, au: Mapping[int, float]) -> tuple[np.ndarray, ...]:
    """Returns x, upper y and lower y of the eyelids, each of shape (15,)."""
    size = identity.eye_size
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
    center_y = _eye_y(identity, au)
    slant = identity.eye_slant - 0.035 * au[1] * au[4]
    x = identity.eye_x + half * CURVE
    tilt = center_y - slant * CURVE
    upper = tilt - above * DOME**0.8 - 0.03 * au[1] * au[4] * (1 - CURVE) * DOME
    lower = tilt + below * DOME**0.9
    return x, upper, lower


def _eye_y(identity: Identity, au: Mapping[int, float]) -> float:
    return identity.eye_y + 0.02 * au[43]


def draw_eye(
    sketch: Sketch,
    identity: Identity,
    au: Mapping[int, float],
    side: int,
    gaze: tuple[float, float],
) -> None:
    """Draws one eye; side is -1 or 1, and gaze shifts the iris."""
    size, skin = identity.eye_size, identity.skin
    center_x, center_y = identity.eye_x, _eye_y(identity, au)
    x, upper, lower = _eyelids(identity, au)

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


def draw_nose(
    sketch: Sketch, identity: Identity, au: Mapping[int, float], rng: np.random.Generator
) -> None:
    """Draws the nose."""
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


def draw_glasses(sketch: Sketch, identity: Identity, rng: np.random.Generator) -> None:
    """Draws glasses."""
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
