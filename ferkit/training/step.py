"""One step of training as a graph: losses, gradients, update, averaged weights; on one device or on many."""

import contextlib

import tensorflow as tf

from ferkit.input_pipeline.sharding import slice_of
from ferkit.training.losses import TrainingLoss
from ferkit.training.optimizers import build_optimizer
from ferkit.training.weight_averaging import AveragedWeights


class TrainingStep:
    """The step of a recipe on a model, traced once for every batch size.

    On several replicas the batch that a worker holds is cut into equal shares, and every number comes out as on one device
    with the whole batch: each share counts by its rows, batch normalization and the partition loss look at all replicas.

    Args:
        model: a Keras model from pixels to logits, built in the scope of ``devices``.
        recipe: a ``Recipe``.
        devices: a ``devices.Devices``.
    """

    def __init__(self, model, recipe, devices):
        self.model, self.recipe, self.devices = model, recipe, devices
        with devices.scope():
            self.objective = TrainingLoss(model, recipe.label_smoothing)
            self.optimizer = build_optimizer(recipe, self.objective.trainable_variables)
            self.averaged = AveragedWeights(model, recipe.ema) if recipe.ema else None
        if devices.replicas > 1:
            synchronize_normalization(model)
        # Of an epoch so far: loss * rows, right answers, rows, steps with a finite loss, and each further term * rows.
        self.totals_size = 4 + len(self.objective.term_names)
        # Each replica gets one row at least, in each of its parts.
        self.fewest_rows = devices.replicas * recipe.accumulate_steps
        # One graph for every batch size: the last, smaller batch must not change how the others are rounded after a resume.
        signature = [
            tf.TensorSpec((None, *model.input_shape[1:]), tf.float32),
            tf.TensorSpec((None, model.output_shape[-1]), tf.float32),
            *[tf.TensorSpec((None,), tf.int32)] * 2,
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((self.totals_size,), tf.float64),
        ]
        self._step = tf.function(self._whole_step, input_signature=signature)
        # Traced once for all parts; on several replicas a function within the function may not talk to the others.
        self._part = (
            tf.function(self._one_part)
            if recipe.accumulate_steps > 1 and devices.replicas == 1
            else self._one_part
        )

    def __call__(self, batch, learning_rate, totals):
        """One update of the weights.

        Args:
            batch: images ``(rows, height, width, channels)``, targets ``(rows, classes)``, labels ``(rows,)``, keys ``(rows,)``
                of this worker, and how many rows the batch has over all workers.
            learning_rate: of this step.
            totals: float64 ``(totals_size,)``, so far.

        Returns:
            The totals with this batch added, over all workers.
        """
        return self._step(*batch, tf.constant(learning_rate, tf.float32), totals)

    @property
    def variables(self):
        """All that a resumed training must find again."""
        return [
            *self.objective.variables,
            *self.optimizer.variables,
            *(self.averaged.variables if self.averaged else []),
        ]

    def _whole_step(self, images, targets, labels, keys, count, learning_rate, totals):
        strategy = self.devices.strategy
        self.optimizer.learning_rate = learning_rate
        added = strategy.run(self._on_a_replica, args=((images, targets, labels, keys), count))
        if self.devices.replicas > 1:
            added = strategy.reduce(tf.distribute.ReduceOp.SUM, added, axis=None)
        if self.averaged:
            self.averaged.update(self.optimizer.iterations)
        finite = tf.cast(tf.math.is_finite(added[0]), tf.float64)
        return totals + tf.concat([added[:3], [finite], added[3:]], axis=0)

    def _on_a_replica(self, batch, count):
        """This replica's part of the totals, and the update."""
        replica, local = self.devices.local_replica(), self.devices.local_replicas
        variables = self.objective.trainable_variables
        gradients, added, seen = None, 0.0, []
        for part in range(self.recipe.accumulate_steps):
            share = (
                replica * self.recipe.accumulate_steps + part,
                local * self.recipe.accumulate_steps,
            )
            with tf.control_dependencies(
                gradients or []
            ):  # one part after another, or memory is not saved
                own = [tf.identity(slice_of(tensor, *share)) for tensor in batch]
            part_gradients, part_added, outputs = self._part(*own, count)
            gradients = (
                part_gradients
                if gradients is None
                else [a + b for a, b in zip(gradients, part_gradients, strict=True)]
            )
            added += part_added
            seen.append((own[2], outputs))
        if self.recipe.l2:
            share = self.recipe.l2 * self._scale() / self.devices.replicas
            gradients = [
                gradient + share * variable
                for gradient, variable in zip(gradients, variables, strict=True)
            ]
        if self.recipe.clip_norm:
            gradients = self._clipped(gradients)
        self.optimizer.apply(gradients, variables)
        labels = tf.concat([labels for labels, _ in seen], axis=0)
        self.objective.after_step(
            labels, {name: tf.concat([o[name] for _, o in seen], axis=0) for name in seen[0][1]}
        )
        return tf.cast(added, tf.float64)

    def _one_part(self, images, targets, labels, keys, count):
        objective = self.objective
        with tf.GradientTape() as tape:
            with row_keys(self.model, keys):
                outputs = objective.outputs(images)
            loss, terms = objective.losses(
                labels, outputs, targets, self._weight(labels, count), self.recipe.accumulate_steps
            )
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(
            scaled, objective.trainable_variables, unconnected_gradients="zero"
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        predicted = tf.argmax(outputs["logits"], axis=1, output_type=tf.int32)
        right = tf.reduce_sum(tf.cast(tf.equal(predicted, labels), tf.float32))
        rows, count = (tf.cast(number, tf.float32) for number in (tf.shape(labels)[0], count))
        return (
            gradients,
            tf.stack([loss * count, right, rows, *(term * count for term in terms)]),
            outputs,
        )

    def _weight(self, labels, count):
        """By how much a mean over these rows counts, so that all parts together give the mean over the batch; None: as it is."""
        if self.fewest_rows == 1:
            return None
        return tf.cast(tf.shape(labels)[0] * self.fewest_rows, tf.float32) / tf.cast(
            count, tf.float32
        )

    def _scale(self):
        """What the gradients are multiplied by until the optimizer divides them again."""
        return self.optimizer.scale_loss(1.0)

    def _clipped(self, gradients):
        """By the norm of the whole gradient, that of all replicas summed."""
        whole = gradients
        if self.devices.replicas > 1:
            whole = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, gradients
            )
        limit = self.recipe.clip_norm * self._scale()
        factor = tf.minimum(1.0, limit / tf.maximum(tf.linalg.global_norm(whole), 1e-30))
        return [gradient * factor for gradient in gradients]


def synchronize_normalization(model):
    """Let every batch normalization take its mean and variance over all replicas."""
    for layer in model._flatten_layers():
        if hasattr(layer, "synchronized"):
            layer.synchronized = True


@contextlib.contextmanager
def row_keys(model, keys):
    """Within, layers with a ``row_keys`` attribute draw their random numbers from these keys, ``(batch,)``, alone."""
    keyed = [layer for layer in model._flatten_layers() if hasattr(layer, "row_keys")]
    for index, layer in enumerate(keyed):
        layer.row_keys = keys + (index * 0x3C6EF35F & 0x7FFFFFFF)  # another stream for each layer
    try:
        yield
    finally:
        for layer in keyed:
            layer.row_keys = None
