"""DAN's losses besides cross-entropy: affinity, center and partition loss.

The affinity loss is what the paper calls "center loss"; ``CenterLoss`` is the original one.
Centers are Keras variables that the loss creates, so that they exist before training starts.
They belong to the loss and are never part of the saved model. All terms are correct under
``tf.distribute``: the replicas' gradients sum to those of the full batch.
"""

from typing import Any

import keras
from keras import ops


class _ClassCenters(keras.losses.Loss):
    """A loss with one center for each class."""

    def __init__(
        self,
        num_classes: int,
        num_features: int,
        seed: int | None,
        trainable: bool,
        reduction: str,
        name: str,
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        if num_classes < 2 or num_features < 1:
            raise ValueError(
                "Expected `num_classes` to be at least 2 and `num_features` at least 1. "
                f"Received: num_classes={num_classes}, num_features={num_features}"
            )
        self.num_classes, self.num_features, self.seed = num_classes, num_features, seed
        self.centers = keras.Variable(
            keras.initializers.RandomNormal(stddev=1.0, seed=seed),
            shape=(num_classes, num_features),
            dtype=keras.config.floatx(),
            trainable=trainable,
            name=f"{name}_centers",
        )

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables of the loss, trainable or not."""
        return [self.centers]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that the optimizer must train along with the model."""
        return [self.centers] if self.centers.trainable else []

    def _squared_distances(
        self, labels: keras.KerasTensor, features: keras.KerasTensor
    ) -> keras.KerasTensor:
        """``||x_i - c_{y_i}||^2``, ``(batch,)``."""
        labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
        centers = ops.take(ops.convert_to_tensor(self.centers), labels, axis=0)
        return ops.sum(ops.square(ops.cast(features, self.centers.dtype) - centers), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        config = {
            "num_classes": self.num_classes,
            "num_features": self.num_features,
            "seed": self.seed,
        }
        return {**config, "name": self.name, "reduction": self.reduction}


@keras.saving.register_keras_serializable(package="dan_tf")
class AffinityLoss(_ClassCenters):
    """Pulls features to the center of their class, relative to the variance of the centers.

        (1 / batch) * sum_i ||x_i - c_{y_i}||^2 / sum_d Var_classes(c_d)

    The centers are trainable and drawn from a unit Gaussian; the variance is the unbiased one over
    all classes. A class that is absent from the batch contributes through the variance only.

    Args:
        num_classes: 2 or more.
        num_features: length of a feature vector.
        seed: of the initial centers; None uses Keras's global seed.

    Call arguments:
        y_true: labels ``(batch,)``, integers.
        y_pred: pooled features ``(batch, num_features)``.

    Reference: arXiv 2109.07270, section 3.2, and its authors' code.
    """

    def __init__(
        self,
        num_classes: int,
        num_features: int,
        seed: int | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "affinity",
    ) -> None:
        super().__init__(num_classes, num_features, seed, True, reduction, name)

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """One value per row, ``(batch,)``."""
        spread = ops.sum(unbiased_variance(ops.convert_to_tensor(self.centers), axis=0))
        return self._squared_distances(y_true, y_pred) / spread


@keras.saving.register_keras_serializable(package="dan_tf")
class CenterLoss(_ClassCenters):
    """The original center loss: ``1/2 * sum_i ||x_i - c_{y_i}||^2``.

    The optimizer does not train its centers. They have their own update rule and rate: call
    `update_centers` once per step. With ``center_rate=None`` they are ordinary trainable variables.

    Args:
        num_classes: 2 or more.
        num_features: length of a feature vector.
        center_rate: alpha of the rule, in (0, 1]; None lets the optimizer train the centers.
        seed: of the initial centers; None uses Keras's global seed.
        reduction: "sum" as in the paper, or "sum_over_batch_size" for a value that does not depend
            on the batch size.

    Call arguments:
        y_true: labels ``(batch,)``, integers.
        y_pred: pooled features ``(batch, num_features)``.

    Reference: Wen, Zhang, Li, Qiao, "A discriminative feature learning approach for deep face
    recognition", ECCV 2016, eqs. 2-4.
    """

    def __init__(
        self,
        num_classes: int,
        num_features: int,
        center_rate: float | None = 0.5,
        seed: int | None = None,
        reduction: str = "sum",
        name: str = "center",
    ) -> None:
        if center_rate is not None and not 0.0 < center_rate <= 1.0:
            raise ValueError(
                "Expected `center_rate` to be in (0, 1], or None. "
                f"Received: center_rate={center_rate!r}"
            )
        super().__init__(num_classes, num_features, seed, center_rate is None, reduction, name)
        self.center_rate = center_rate

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """One value per row, ``(batch,)``."""
        return 0.5 * self._squared_distances(y_true, y_pred)

    def update_centers(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> None:
        """Move each center by ``rate * sum_i (x_i - c) / (1 + n)`` over the n rows of its class.

        The center of an absent class does not move.
        """
        if self.center_rate is None:
            return
        centers = ops.convert_to_tensor(self.centers)
        chosen = ops.one_hot(
            ops.reshape(ops.cast(y_true, "int32"), (-1,)),
            self.num_classes,
            dtype=self.centers.dtype,
        )
        features = ops.cast(ops.stop_gradient(y_pred), self.centers.dtype)
        counts = _over_replicas(ops.sum(chosen, axis=0))[:, None]
        sums = _over_replicas(ops.matmul(ops.transpose(chosen), features))
        self.centers.assign(centers + self.center_rate * (sums - counts * centers) / (1.0 + counts))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "center_rate": self.center_rate}


@keras.saving.register_keras_serializable(package="dan_tf")
class PartitionLoss(keras.losses.Loss):
    """Pushes the heads apart: ``log(1 + K / (mean of Var_heads(h) + eps))``; 0 for a single head.

    The variance is the unbiased one over the K heads, of each feature of each row.

    Args:
        average: "inside": the mean over batch and features is inside the logarithm, as in the
            authors' code; over the full batch if it is spread over replicas. "outside": the mean of
            the logarithms, as in the paper.
        epsilon: keeps the loss finite if all heads are equal.

    Call arguments:
        y_true: not used, but Keras requires an array: give the labels.
        y_pred: heads ``(batch, K, features)``.

    Reference: arXiv 2109.07270, section 3.4, and its authors' code.
    """

    def __init__(
        self,
        average: str = "inside",
        epsilon: float = 1e-8,
        reduction: str = "sum_over_batch_size",
        name: str = "partition",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        if average not in ("inside", "outside"):
            raise ValueError(
                f'Expected `average` to be "inside" or "outside". Received: average={average!r}'
            )
        self.average, self.epsilon = average, epsilon

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """One value per row, ``(batch,)``."""
        heads = y_pred.shape[1]
        rows = ops.shape(y_pred)[0]
        if heads == 1:
            return ops.zeros((rows,))
        variance = unbiased_variance(ops.cast(y_pred, "float32"), axis=1)
        if self.average == "outside":
            return ops.mean(ops.log(1.0 + heads / (variance + self.epsilon)), axis=-1)
        count = _over_replicas(ops.cast(ops.size(variance), "float32"))
        mean = _over_replicas(ops.sum(variance)) / count
        # One value per row, so that Keras computes the mean and scales it by the replica count.
        return ops.broadcast_to(ops.log(1.0 + heads / (mean + self.epsilon)), (rows,))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "average": self.average,
            "epsilon": self.epsilon,
            "name": self.name,
            "reduction": self.reduction,
        }


def unbiased_variance(values: keras.KerasTensor, axis: int) -> keras.KerasTensor:
    """``ops.var`` times n / (n - 1)."""
    count = values.shape[axis]
    return ops.var(values, axis=axis) * (count / (count - 1))


def _over_replicas(value: keras.KerasTensor) -> keras.KerasTensor:
    """The sum of `value` over the replicas of a ``tf.distribute`` strategy, with its gradient.

    Without a strategy it is `value` itself.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf  # late: other backends may not have it

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
