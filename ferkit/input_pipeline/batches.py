"""Batches for training: uint8 images held once in memory, or read from their files as they are needed."""

import cv2
import numpy as np
import tensorflow as tf

from ferkit.errors import UserError
from ferkit.input_pipeline.augmentation import augment
from ferkit.input_pipeline.epoch_plan import DRAWS, epoch_plan
from ferkit.input_pipeline.fit_images import resize_to_input
from ferkit.input_pipeline.mixup_cutmix import is_mixed, mix
from ferkit.input_pipeline.sharding import share_of
from ferkit.training.targets import _target_taker

BATCHES_AT_ONCE = 2


class TrainingBatches:
    """Batches of an epoch, augmented and mixed on the fly and the same after a resume.

    Several workers share the batches of one: each is given its part of the rows of every batch.

    Args:
        split: a ``dataset.Split``.
        recipe: a ``Recipe``.
        input_shape: height, width and channels of the model's input; images that differ are converted behind the augmentation.
        worker: which worker this is, from 0, and how many there are.
        drop_below: a last batch of fewer rows (of all workers together) is left out.
        answers: the file that keeps what the recipe's teachers say, if there are any; None: they are asked every time.

    Raises:
        UserError: fewer rows than drop_below, or soft labels without votes.

    Example:
        >>> for images, targets, labels, keys, count in TrainingBatches(split, recipe, (48, 48, 1)).epoch(0):
        ...     ...
    """

    def __init__(self, split, recipe, input_shape, worker=(0, 1), drop_below=1, answers=None):
        cv2.setNumThreads(
            1
        )  # batches run side by side already; OpenCV's own threads only waited for each other, on all cores
        self._labels, self._recipe = split.labels, recipe
        rows = len(self._plan(0).rows)
        self.steps = rows // recipe.batch_size + (rows % recipe.batch_size >= max(drop_below, 1))
        if not self.steps or drop_below > recipe.batch_size:
            raise UserError(
                f"--batch_size {recipe.batch_size}: {min(rows, recipe.batch_size)} rows a batch, fewer than the {drop_below} "
                "that it takes to give one to each replica; train on fewer replicas."
            )
        take, targets_of = _taker(split.images), _target_taker(split, recipe, answers)

        # Traced once, for all epochs and batch sizes: every epoch's dataset would trace a plain function anew.
        kinds = {"rows": tf.int32, "keys": tf.int32, "draws": tf.float32, "shares": tf.float32}
        shapes = {"draws": (None, len(DRAWS)), "shares": (None, 2)}

        @tf.function(
            input_signature=[
                tf.TensorSpec(shapes.get(name, (None,)), kind) for name, kind in kinds.items()
            ]
        )
        def make(rows, keys, draws, shares):
            count = tf.shape(rows)[0]
            own = tf.range(*share_of(count, *worker))
            if recipe.mixup or recipe.cutmix:
                images, targets, labels = _mixed_rows(
                    take, targets_of, rows, draws, shares, own, recipe
                )
            else:
                rows = tf.gather(rows, own)
                images = augment(take(rows), tf.gather(draws, own), recipe)
                targets, plain, labels = targets_of(rows)
                labels = _largest(plain, labels)
            return (
                resize_to_input(images, input_shape),
                targets,
                labels,
                tf.gather(keys, own),
                count,
            )

        self._make = make

    def _plan(self, number):
        recipe = self._recipe
        return epoch_plan(
            self._labels, recipe.sampling, recipe.seed, number, recipe.mixup, recipe.cutmix
        )

    def epoch(self, number, first_step=0):
        """A dataset of the epoch's batches from step `first_step` on.

        Each is ``(images, targets, labels, keys, count)``: images float32 ``(n, height, width, channels)`` in [0, 255];
        targets float32 ``(n, classes)``, times the weight of the row's class; labels int32 ``(n,)``, the class with the largest
        target before weighting, a row's own where several are; keys int32 ``(n,)``, what keyed layers draw from; count int32,
        the rows of all workers. n is this worker's part of them.
        """
        plan, size = self._plan(number), self._recipe.batch_size
        part = slice(first_step * size, self.steps * size)
        batches = _in_batches(
            [plan.rows[part], plan.keys[part], plan.draws[part], plan.shares[part]], size
        )
        batches = batches.map(
            self._make, num_parallel_calls=BATCHES_AT_ONCE, deterministic=True
        ).prefetch(BATCHES_AT_ONCE)
        # Nothing is left to tune, and the end of an epoch waited for the tuner's timer: 2 to 60 seconds, measured.
        options = tf.data.Options()
        options.autotune.enabled = False
        return batches.with_options(options)


def _in_batches(arrays, size):
    """A dataset of slices of `size` rows, the last one smaller; ``Dataset.batch`` would make a tensor of every row first."""
    whole = len(arrays[0]) // size * size
    batches = tf.data.Dataset.from_tensor_slices(
        tuple(a[:whole].reshape(-1, size, *a.shape[1:]) for a in arrays)
    )
    if whole < len(arrays[0]):
        batches = batches.concatenate(
            tf.data.Dataset.from_tensors(tuple(a[whole:] for a in arrays))
        )
    return batches


def _mixed_rows(take, targets_of, rows, draws, shares, own, recipe):
    """Images, weighted targets and labels of a batch's places `own`, each mixed with the mirrored place of the whole batch."""
    count = tf.shape(rows)[0]
    # Augmented are this worker's rows and the partners that they are mixed with.
    mine = tf.scatter_nd(own[:, None], tf.ones_like(own), [count]) > 0
    needed = mine | tf.reverse(mine & is_mixed(draws, recipe), axis=[0])
    places = tf.where(needed)[:, 0]
    images = augment(take(tf.gather(rows, places)), tf.gather(draws, places), recipe)
    held = tf.maximum(
        tf.cumsum(tf.cast(needed, tf.int32)) - 1, 0
    )  # place in the batch -> place in images

    partners = count - 1 - own
    own_images, other_images = (
        tf.gather(images, tf.gather(held, side)) for side in (own, partners)
    )
    images, share = mix(
        own_images, other_images, tf.gather(draws, own), tf.gather(shares, own), recipe
    )
    own_targets, own_plain, labels = targets_of(tf.gather(rows, own))
    other_targets, other_plain, _ = targets_of(tf.gather(rows, partners))
    share = share[:, None]
    targets = share * own_targets + (1.0 - share) * other_targets
    return images, targets, _largest(share * own_plain + (1.0 - share) * other_plain, labels)


def _largest(targets, labels):
    """The class with the largest target of each row, its own label where several are: int32 ``(batch,)``."""
    own = tf.gather(targets, labels, batch_dims=1)
    others = tf.argmax(targets, axis=1, output_type=tf.int32)
    return tf.where(own >= tf.reduce_max(targets, axis=1), labels, others)


def _taker(images):
    """A function from row numbers to images, in TensorFlow's graph."""
    if isinstance(images, np.ndarray):
        held = tf.constant(images)
        return lambda rows: tf.gather(held, rows)

    def read(rows):  # files: OpenCV decodes them in threads of its own
        batch = tf.numpy_function(lambda rows: images[rows], [rows], tf.uint8)
        return tf.ensure_shape(batch, (None, *images.shape[1:]))

    return read
