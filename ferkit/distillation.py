"""Distillation: what trained models, the teachers, answer to the training images becomes part of the targets."""

import numpy as np

from .evaluation import view_logits
from .metrics import averaged
from .saved_model import load_model
from .weights import model_file


def teacher_probabilities(split, teachers: str) -> np.ndarray:
    """The teachers' probabilities for each row, averaged over them and over the image and its mirror image.

    Each row is asked about once, as it lies in the dataset, not again for every augmented view: that costs a minute where the
    other would cost a third of the training (Hinton et al., arXiv 1503.02531, at temperature 1).

    Args:
        split: a ``dataset.Split``.
        teachers: .keras files or names of shipped weights, separated by commas.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1.

    Raises:
        UserError: one cannot be loaded, or knows other classes.
    """
    models = (load_model(model_file(name.strip()), class_names=split.class_names) for name in teachers.split(","))
    return averaged(np.concatenate([view_logits(model, split, "flip") for model in models]).astype(np.float64))
