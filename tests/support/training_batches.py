"""Training batches with the targets of their recipe."""

from ferkit.input_pipeline.batches import TrainingBatches
from ferkit.training.targets import training_targets


def training_batches(split, recipe, input_shape, **options):
    return TrainingBatches(split, training_targets(split, recipe), recipe, input_shape, **options)
