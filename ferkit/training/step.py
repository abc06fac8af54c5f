"""One training step as a graph: losses, gradients, update, averaged weights."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from ferkit.input_pipeline.sharding import slice_of
from ferkit.models.interface import keyed_layers, sublayers, undecayed_variables
from ferkit.recipes.recipe import Recipe
from ferkit.training.devices import Devices
from ferkit.training.losses import TrainingLoss
from ferkit.training.optimizers import build_optimizer
from ferkit.training.teachers import BatchTeachers
from ferkit.training.weight_averaging import AveragedWeights


class TrainingStep:
    """The training step of a recipe, traced once for all batch sizes.

    With several replicas, a worker's batch is divided into equal parts, and every number is the
    same as on one device: each part counts by its rows, and batch normalization and the partition
    loss use all replicas.

    Args:
        model: a Keras model from pixels to logits, built in the scope of `devices`.
        recipe: hyperparameters.
        devices: what the step runs on.
        teachers: predict the augmented images of each batch; None: the targets are complete.

    Attributes:
        loss: the ``TrainingLoss``.
        averaged: the ``AveragedWeights``, or None.
        totals_size: length of the totals: loss * rows, correct predictions, rows, steps with a
            finite loss, and each further loss term * rows.
        min_rows: smallest batch: one row for each part of each replica.
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        devices: Devices,
        teachers: BatchTeachers | None = None,
    ) -> None:
        self.model, self.recipe, self.devices, self._teachers = model, recipe, devices, teachers
        with devices.scope():
            self.loss = TrainingLoss(model, recipe.label_smoothing)
            self.optimizer = build_optimizer(
                recipe, self.loss.trainable_variables, undecayed_variables(model)
            )
            self.averaged = AveragedWeights(model, recipe.ema) if recipe.ema else None
        if devices.replicas > 1:
            synchronize_normalization(model)
        self.totals_size = 4 + len(self.loss.term_names)
        self.min_rows = devices.replicas * recipe.accumulate_steps
        # One graph for all batch sizes: the last, smaller batch must not change how the others are
        # rounded after a resume.
        signature = [
            tf.TensorSpec((None, *model.input_shape[1:]), tf.float32),
            tf.TensorSpec((None, model.output_shape[-1]), tf.float32),
            *[tf.TensorSpec((None,), tf.int32)] * 2,
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((self.totals_size,), tf.float64),
        ]
        self._step = tf.function(self._full_step, input_signature=signature)
        # Traced once for all parts; with several replicas, a nested function cannot communicate.
        self._part = (
            tf.function(self._one_part)
            if recipe.accumulate_steps > 1 and devices.replicas == 1
            else self._one_part
        )

    def __call__(
        self, batch: Sequence[tf.Tensor], learning_rate: float, totals: tf.Tensor
    ) -> tf.Tensor:
        """One update of the weights.

        Args:
            batch: images ``(rows, height, width, channels)``, targets ``(rows, classes)``, labels
                ``(rows,)`` and seeds ``(rows,)`` of this worker, and the rows of all workers.
            learning_rate: learning rate of this step.
            totals: float64 ``(totals_size,)``, so far.

        Returns:
            The totals over all workers, including this batch.
        """
        return self._step(*batch, tf.constant(learning_rate, tf.float32), totals)

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables that a resumed training needs."""
        return [
            *self.loss.variables,
            *self.optimizer.variables,
            *(self.averaged.variables if self.averaged else []),
        ]

    def _full_step(
        self,
        images: tf.Tensor,
        targets: tf.Tensor,
        labels: tf.Tensor,
        keys: tf.Tensor,
        count: tf.Tensor,
        learning_rate: tf.Tensor,
        totals: tf.Tensor,
    ) -> tf.Tensor:
        strategy = self.devices.strategy
        self.optimizer.learning_rate = learning_rate
        added = strategy.run(self._on_replica, args=((images, targets, labels, keys), count))
        if self.devices.replicas > 1:
            added = strategy.reduce(tf.distribute.ReduceOp.SUM, added, axis=None)
        if self.averaged:
            self.averaged.update(self.optimizer.iterations)
        finite = tf.cast(tf.math.is_finite(added[0]), tf.float64)
        return totals + tf.concat([added[:3], [finite], added[3:]], axis=0)

    def _on_replica(self, batch: tuple[tf.Tensor, ...], count: tf.Tensor) -> tf.Tensor:
        """This replica's part of the totals; applies the update."""
        replica, local = self.devices.local_replica(), self.devices.local_replicas
        variables = self.loss.trainable_variables
        gradients: list[tf.Tensor] | None = None
        added, seen = 0.0, []
        for part in range(self.recipe.accumulate_steps):
            share = (
                replica * self.recipe.accumulate_steps + part,
                local * self.recipe.accumulate_steps,
            )
            with tf.control_dependencies(gradients or []):  # one part after another saves memory
                part_batch = [tf.identity(slice_of(tensor, *share)) for tensor in batch]
            images, targets, labels, keys = part_batch
            part_gradients, part_added, outputs = self._part(images, targets, labels, keys, count)
            gradients = (
                part_gradients
                if gradients is None
                else [a + b for a, b in zip(gradients, part_gradients, strict=True)]
            )
            added += part_added
            seen.append((labels, outputs))
        if self.recipe.l2:
            factor = self.recipe.l2 * self._scale() / self.devices.replicas
            gradients = [
                gradient + factor * variable
                for gradient, variable in zip(gradients or [], variables, strict=True)
            ]
        if self.recipe.clip_norm:
            gradients = self._clipped(gradients or [])
        self.optimizer.apply(gradients, variables)
        labels = tf.concat([labels for labels, _ in seen], axis=0)
        self.loss.update_centers(
            labels, {name: tf.concat([o[name] for _, o in seen], axis=0) for name in seen[0][1]}
        )
        return tf.cast(added, tf.float64)

    def _one_part(
        self,
        images: tf.Tensor,
        targets: tf.Tensor,
        labels: tf.Tensor,
        keys: tf.Tensor,
        count: tf.Tensor,
    ) -> tuple[list[tf.Tensor], tf.Tensor, dict[str, tf.Tensor]]:
        """Gradients, totals and outputs of one part of the batch."""
        training_loss = self.loss
        if self._teachers:
            targets = self._teachers.mixed_targets(images, targets)
        with tf.GradientTape() as tape:
            with row_keys(self.model, keys):
                outputs = training_loss.outputs(images)
            loss, terms = training_loss.losses(
                labels, outputs, targets, self._weight(labels, count), self.recipe.accumulate_steps
            )
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(
            scaled, training_loss.trainable_variables, unconnected_gradients="zero"
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        predicted = tf.argmax(outputs["logits"], axis=1, output_type=tf.int32)
        correct = tf.reduce_sum(tf.cast(tf.equal(predicted, labels), tf.float32))
        rows, count = (tf.cast(number, tf.float32) for number in (tf.shape(labels)[0], count))
        return (
            gradients,
            tf.stack([loss * count, correct, rows, *(term * count for term in terms)]),
            outputs,
        )

    def _weight(self, labels: tf.Tensor, count: tf.Tensor) -> tf.Tensor | None:
        """Weight of a mean over these rows, so that all parts give the mean over the batch."""
        if self.min_rows == 1:
            return None
        return tf.cast(tf.shape(labels)[0] * self.min_rows, tf.float32) / tf.cast(count, tf.float32)

    def _scale(self) -> float | tf.Tensor:
        """Factor of the gradients, which the optimizer divides by again (float16)."""
        return self.optimizer.scale_loss(1.0)

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Clipped by the norm of the complete gradient, summed over the replicas."""
        complete = gradients
        if self.devices.replicas > 1:
            complete = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, gradients
            )
        limit = self.recipe.clip_norm * self._scale()
        factor = tf.minimum(1.0, limit / tf.maximum(tf.linalg.global_norm(complete), 1e-30))
        return [gradient * factor for gradient in gradients]


def synchronize_normalization(model: keras.Model) -> None:
    """Make batch normalization use the mean and variance over all replicas."""
    for layer in sublayers(model):
        if hasattr(layer, "synchronized"):
            layer.synchronized = True


@contextlib.contextmanager
def row_keys(model: keras.Model, keys: tf.Tensor) -> Iterator[None]:
    """In this context, keyed layers draw random numbers from these keys ``(batch,)`` only."""
    keyed = keyed_layers(model)
    for index, layer in enumerate(keyed):
        layer.row_keys = keys + (index * 0x3C6EF35F & 0x7FFFFFFF)  # one stream per layer
    try:
        yield
    finally:
        for layer in keyed:
            layer.row_keys = None
