"""The training loss: cross-entropy, the model's regularizers, and the model's own loss terms."""

import keras
import tensorflow as tf

from ferkit.models.interface import for_training


class TrainingLoss:
    """The loss of a model, and all variables that its training involves.

    A model may be trained through another one that shares its weights
    (``models.interface.TrainingModel``): more outputs, more loss terms, and variables such as class
    centers that are not saved with the model.

    Args:
        model: a Keras model from pixels to logits.
        label_smoothing: part of the target that is spread over all classes.

    Attributes:
        term_names: names of the model's own loss terms.
    """

    def __init__(self, model: keras.Model, label_smoothing: float = 0.0) -> None:
        self._smoothing = label_smoothing
        self._training = for_training(model)
        self._trained = self._training or model
        self.term_names: tuple[str, ...] = tuple(self._training.terms) if self._training else ()

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables that a resumed training needs, except the optimizer's."""
        return self._trained.variables

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that gradients update."""
        return self._trained.trainable_variables

    def outputs(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The float32 outputs in training mode: "logits" and what else the loss needs."""
        outputs = self._trained(images, training=True)
        outputs = outputs if self._training else {"logits": outputs}
        return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

    def losses(
        self,
        labels: tf.Tensor,
        outputs: dict[str, tf.Tensor],
        targets: tf.Tensor | None = None,
        weight: tf.Tensor | None = None,
        parts: int = 1,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The total loss, and the model's own terms in the order of ``term_names``.

        With ``tf.distribute`` they are this replica's part: their sum over the replicas is the loss
        of the batch.

        Args:
            labels: int ``(rows,)``.
            outputs: the result of ``outputs``.
            targets: float ``(rows, classes)``; None: the labels.
            weight: weight of a mean over these rows, if they are a part of the batch.
            parts: number of calls per batch on this replica.
        """
        if targets is None:
            targets = tf.one_hot(labels, outputs["logits"].shape[1])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        share = (1.0 if weight is None else weight) / parts
        extra = self._training.extra_losses(labels, outputs) if self._training else {}
        values = [tf.cast(extra[name], tf.float32) for name in self.term_names]
        # Keras has divided its losses by the number of replicas already.
        terms = [value if weight is None else share * value for value in values]
        total = self._cross_entropy(targets, outputs["logits"])
        regularizers = [tf.cast(value, tf.float32) for value in self._trained.losses]
        if weight is not None:
            total = total * (share / replicas)
            regularizers = [value / (replicas * parts) for value in regularizers]
        return tf.add_n([total, *terms, *regularizers]), terms

    def update_centers(self, labels: tf.Tensor, outputs: dict[str, tf.Tensor]) -> None:
        """Update variables that no gradient reaches, such as class centers, after a step."""
        if self._training:
            self._training.after_step(labels, outputs)

    def _cross_entropy(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if self._smoothing:
            counts = tf.reduce_sum(targets, axis=1, keepdims=True)  # 1, or the row's weight
            targets = targets * (1.0 - self._smoothing) + counts * (
                self._smoothing / logits.shape[1]
            )
        return tf.reduce_mean(
            tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        )
