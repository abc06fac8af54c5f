"""Training batches: uint8 images held in memory, or read from their files as they are needed."""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from ferkit.errors import UserError
from ferkit.input_pipeline.augmentation import augment
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.epoch_plan import DRAWS, EpochPlan, epoch_plan
from ferkit.input_pipeline.fit_images import resize_to_input
from ferkit.input_pipeline.mixup_cutmix import is_mixed, mix
from ferkit.input_pipeline.sharding import share_of
from ferkit.recipes.recipe import Recipe
from generate_data.errors import DataError
from generate_data.images.lazy_array import ImageFiles

PARALLEL_BATCHES = 2
# From row numbers to images, or to weighted targets, targets and labels, as TensorFlow operations.
ImageGatherer = Callable[[tf.Tensor], tf.Tensor]
TargetGatherer = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Targets:
    """Training targets of all rows.

    Attributes:
        plain: float ``(rows, classes)``; each row sums to 1.
        weighted: the same, times the weight of the row's class.
    """

    plain: np.ndarray
    weighted: np.ndarray


class TrainingBatches:
    """The batches of an epoch, augmented and mixed on the fly, and the same after a resume.

    Several workers share the batches of one: each receives its part of the rows of every batch.

    Args:
        split: the training rows.
        targets: their targets.
        recipe: hyperparameters.
        input_shape: height, width and channels of the model's input; images are converted to it
            after augmentation.
        worker: index of this worker, and number of workers.
        drop_below: a last batch with fewer rows (over all workers) is left out.

    Attributes:
        steps: number of batches in an epoch.
        unreadable: the errors of image files that could not be read; TensorFlow hides them in an
            error of its own.

    Raises:
        UserError: fewer rows than drop_below.

    Example:
        >>> batches = TrainingBatches(split, targets, recipe, (48, 48, 1))
        >>> for images, targets, labels, seeds, count in batches.epoch(0):
        ...     ...
    """

    def __init__(
        self,
        split: Split,
        targets: Targets,
        recipe: Recipe,
        input_shape: tuple[int, int, int],
        worker: tuple[int, int] = (0, 1),
        drop_below: int = 1,
    ) -> None:
        cv2.setNumThreads(1)  # batches run in parallel already; OpenCV's own threads compete
        self._labels, self._recipe = split.labels, recipe
        self.unreadable: list[DataError] = []
        rows = len(self._plan(0).rows)
        self.steps = rows // recipe.batch_size + (rows % recipe.batch_size >= max(drop_below, 1))
        if not self.steps or drop_below > recipe.batch_size:
            size = min(rows, recipe.batch_size)
            problem = (
                f"{size} rows per batch; each of the replicas needs one of at least {drop_below}"
            )
            raise UserError(f"--batch_size {recipe.batch_size}", problem, "train on fewer replicas")
        self._make = _batch_function(
            _image_gatherer(split.images, self.unreadable),
            _target_gatherer(targets, split.labels),
            recipe,
            input_shape,
            worker,
        )

    def _plan(self, epoch: int) -> EpochPlan:
        recipe = self._recipe
        return epoch_plan(
            self._labels, recipe.sampling, recipe.seed, epoch, recipe.mixup, recipe.cutmix
        )

    def epoch(self, number: int, first_step: int = 0) -> tf.data.Dataset:
        """A dataset of the epoch's batches from step `first_step` on.

        Each is ``(images, targets, labels, seeds, count)``, with n rows for this worker:

        - images: float32 ``(n, height, width, channels)`` in [0, 255].
        - targets: float32 ``(n, classes)``, times the weight of the row's class.
        - labels: int32 ``(n,)``, the class with the largest unweighted target; the row's label if
          several are largest.
        - seeds: int32 ``(n,)``, from which keyed layers draw.
        - count: int32, the number of rows of all workers.
        """
        plan, size = self._plan(number), self._recipe.batch_size
        part = slice(first_step * size, self.steps * size)
        arrays = [plan.rows[part], plan.row_seeds[part], plan.random[part], plan.mix_lambdas[part]]
        batches = _in_batches(arrays, size)
        batches = batches.map(self._make, num_parallel_calls=PARALLEL_BATCHES, deterministic=True)
        batches = batches.prefetch(PARALLEL_BATCHES)
        # There is nothing to tune, and the end of an epoch waited 2 to 60 s for the tuner's timer.
        options = tf.data.Options()
        options.autotune.enabled = False
        return batches.with_options(options)


def _batch_function(
    images_of: ImageGatherer,
    targets_of: TargetGatherer,
    recipe: Recipe,
    input_shape: tuple[int, int, int],
    worker: tuple[int, int],
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """A function from a batch's part of an ``EpochPlan`` to its tensors.

    It is traced once for all epochs and batch sizes; every dataset would trace a plain function.
    """
    signature = [
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, len(DRAWS)), tf.float32),
        tf.TensorSpec((None, 2), tf.float32),
    ]

    @tf.function(input_signature=signature)
    def make(
        rows: tf.Tensor, seeds: tf.Tensor, random: tf.Tensor, mix_lambdas: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        count = tf.shape(rows)[0]
        local = tf.range(*share_of(count, *worker))
        if recipe.mixup or recipe.cutmix:
            images, targets, labels = _mixed_rows(
                images_of, targets_of, rows, random, mix_lambdas, local, recipe
            )
        else:
            rows = tf.gather(rows, local)
            images = augment(images_of(rows), tf.gather(random, local), recipe)
            targets, plain, labels = targets_of(rows)
            labels = _largest(plain, labels)
        images = resize_to_input(images, input_shape)
        return images, targets, labels, tf.gather(seeds, local), count

    return make


def _in_batches(arrays: list[np.ndarray], size: int) -> tf.data.Dataset:
    """A dataset of slices of `size` rows, the last one smaller; ``Dataset.batch`` is far slower."""
    full = len(arrays[0]) // size * size
    batches = tf.data.Dataset.from_tensor_slices(
        tuple(array[:full].reshape(-1, size, *array.shape[1:]) for array in arrays)
    )
    if full < len(arrays[0]):
        rest = tf.data.Dataset.from_tensors(tuple(array[full:] for array in arrays))
        batches = batches.concatenate(rest)
    return batches


def _target_gatherer(targets: Targets, labels: np.ndarray) -> TargetGatherer:
    """A function from row numbers to weighted targets, plain targets and labels."""
    plain, weighted = (
        tf.constant(table, tf.float32) for table in (targets.plain, targets.weighted)
    )
    labels = tf.constant(labels)
    return lambda rows: (tf.gather(weighted, rows), tf.gather(plain, rows), tf.gather(labels, rows))


def _mixed_rows(
    images_of: ImageGatherer,
    targets_of: TargetGatherer,
    rows: tf.Tensor,
    random: tf.Tensor,
    mix_lambdas: tf.Tensor,
    local: tf.Tensor,
    recipe: Recipe,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Images, weighted targets and labels of the batch's positions `local`.

    Each is mixed with the row at the mirrored position of the batch of all workers.
    """
    count = tf.shape(rows)[0]
    # This worker augments its rows and the partners that they are mixed with.
    is_local = tf.scatter_nd(local[:, None], tf.ones_like(local), [count]) > 0
    needed = is_local | tf.reverse(is_local & is_mixed(random, recipe), axis=[0])
    positions = tf.where(needed)[:, 0]
    images = augment(images_of(tf.gather(rows, positions)), tf.gather(random, positions), recipe)
    # Position in the batch -> position in images.
    lookup = tf.maximum(tf.cumsum(tf.cast(needed, tf.int32)) - 1, 0)

    partners = count - 1 - local
    local_images, partner_images = (
        tf.gather(images, tf.gather(lookup, side)) for side in (local, partners)
    )
    images, weight = mix(
        local_images,
        partner_images,
        tf.gather(random, local),
        tf.gather(mix_lambdas, local),
        recipe,
    )
    local_targets, local_plain, labels = targets_of(tf.gather(rows, local))
    partner_targets, partner_plain, _ = targets_of(tf.gather(rows, partners))
    weight = weight[:, None]
    targets = weight * local_targets + (1.0 - weight) * partner_targets
    plain = weight * local_plain + (1.0 - weight) * partner_plain
    return images, targets, _largest(plain, labels)


def _largest(targets: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The class with the largest target, the row's label if several are: int32 ``(batch,)``."""
    of_label = tf.gather(targets, labels, batch_dims=1)
    largest = tf.argmax(targets, axis=1, output_type=tf.int32)
    return tf.where(of_label >= tf.reduce_max(targets, axis=1), labels, largest)


def _image_gatherer(images: np.ndarray | ImageFiles, unreadable: list[DataError]) -> ImageGatherer:
    """A function from row numbers to images; errors of files are appended to `unreadable`."""
    if isinstance(images, np.ndarray):
        held = tf.constant(images)
        return lambda rows: tf.gather(held, rows)

    def read_files(rows: np.ndarray) -> np.ndarray:
        try:
            return images[rows]
        except DataError as error:
            unreadable.append(error)
            raise

    def read(rows: tf.Tensor) -> tf.Tensor:  # files: OpenCV decodes them in its own threads
        batch = tf.numpy_function(read_files, [rows], tf.uint8)
        return tf.ensure_shape(batch, (None, *images.shape[1:]))

    return read
