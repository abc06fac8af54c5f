"""Renders a face: draws all its parts in order, occlusions last, and photographs it."""

from collections.abc import Mapping

import numpy as np

from generate_data.samples.canvas import Identity, Pose, Sketch, light, photograph
from generate_data.samples.lower_face import draw_beard, draw_mouth, draw_wrinkles
from generate_data.samples.upper_face import (
    draw_brow,
    draw_eye,
    draw_glasses,
    draw_hair,
    draw_head,
    draw_nose,
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
    draw_head(sketch, identity, jaw_drop, rng)
    gaze = tuple(np.clip(rng.normal(0.0, [0.025, 0.010]), -0.06, 0.06))
    draw_beard(sketch, identity, jaw_drop)
    draw_nose(sketch, identity, au, rng)
    draw_mouth(sketch, identity, au, jaw_drop)
    for side in (-1, 1):
        draw_eye(sketch, identity, au, side, gaze)
        draw_brow(sketch, identity, au, side)
    draw_wrinkles(sketch, identity, au)
    draw_hair(sketch, identity, rng)
    if rng.random() < 0.11:
        draw_glasses(sketch, identity, rng)
    _draw_occlusion(sketch, identity, rng)
    return photograph(light(sketch.finish(), pose, rng), rng)
