"""Expressions of the drawn sample faces, as action units."""

import numpy as np

from generate_data.samples.face import render

ACTION_UNITS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
    43: "eyes closed",
}


# For each label: variants of the expression, each {action unit: mean intensity}. All variants have
# the same probability.
EXPRESSIONS: dict[int, list[dict[int, float]]] = {
    0: [  # angry: pressed lips, or a shout
        {4: 0.9, 5: 0.4, 7: 0.6, 23: 0.7, 24: 0.8, 17: 0.3},
        {4: 0.9, 7: 0.7, 23: 0.9, 17: 0.5},
        {4: 1.0, 5: 0.5, 7: 0.5, 10: 0.6, 25: 0.9, 26: 0.5, 16: 0.4},
    ],
    1: [  # disgust
        {9: 1.0, 15: 0.5, 16: 0.5, 17: 0.4, 4: 0.3},
        {9: 0.9, 10: 0.9, 25: 0.6, 16: 0.6, 7: 0.4},
        {10: 1.0, 9: 0.6, 17: 0.7, 15: 0.4, 6: 0.3},
    ],
    2: [  # fear
        {1: 0.9, 2: 0.5, 4: 0.6, 5: 1.0, 7: 0.2, 20: 0.9, 25: 0.7, 26: 0.3},
        {1: 0.9, 2: 0.6, 4: 0.5, 5: 0.9, 20: 0.7, 25: 0.9, 26: 0.7},
        {1: 0.8, 4: 0.7, 5: 0.8, 20: 0.9, 25: 0.3},
    ],
    3: [  # happy: closed smile, smile with teeth, laugh
        {6: 0.6, 12: 0.8},
        {6: 0.8, 12: 1.0, 25: 0.9},
        {6: 0.9, 12: 1.0, 25: 1.0, 26: 0.7},
        {12: 0.8, 25: 0.7},
    ],
    4: [  # sad
        {1: 0.9, 4: 0.6, 15: 0.9, 17: 0.3},
        {1: 0.7, 4: 0.7, 15: 0.8, 17: 0.8, 43: 0.3},
        {1: 0.9, 4: 0.4, 15: 0.7, 25: 0.4, 7: 0.3},
    ],
    5: [  # surprise
        {1: 0.9, 2: 0.9, 5: 0.9, 25: 0.6, 26: 0.8},
        {1: 1.0, 2: 1.0, 5: 1.0, 25: 0.6, 27: 0.8},
        {1: 0.9, 2: 0.9, 5: 0.7, 25: 0.8, 26: 0.4},
    ],
    6: [{}],  # neutral
}


def draw_action_units(expression: int, rng: np.random.Generator) -> dict[int, float]:
    """Draws the intensity of every action unit, from 0 to 1.2.

    Some units of the expression are faint or missing, and a few unrelated units are added.
    """
    variants = EXPRESSIONS[expression]
    variant = variants[rng.integers(len(variants))]
    strength = rng.uniform(0.55, 1.15)
    spread, missing, stray = rng.uniform(0.6, 1.3, 50), rng.random(50) < 0.09, rng.random(50) < 0.06
    faint = rng.uniform(0.1, 0.4, 50)
    # The frontalis raises both halves of a brow: a raised outer half alone would look like anger.
    missing[2] = missing[1]
    intensities = {}
    for unit in ACTION_UNITS:
        intensity = min(1.2, variant.get(unit, 0.0) * strength * spread[unit])
        if missing[unit]:
            intensity = 0.0
        intensities[unit] = float(max(intensity, faint[unit] if stray[unit] else 0.0))
    return intensities


def draw_face(expression: int, rng: np.random.Generator) -> np.ndarray:
    """Draws one face.

    Args:
        expression: the class: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral.
        rng: decides everything else.

    Returns:
        uint8 (48, 48).
    """
    return render(draw_action_units(expression, rng), rng)
