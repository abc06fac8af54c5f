"""What a training minimizes: cross-entropy, the model's regularizers, and the terms that the model itself brings along."""

import tensorflow as tf


class TrainingLoss:
    """The loss of a model, and all variables that training it involves.

    A model with ``for_training()`` (see ``registry.ModelPackage``) is trained through what that returns: more outputs, more loss
    terms, and variables, such as class centers, that the saved model does without.

    Args:
        model: a Keras model from pixels to logits.
        label_smoothing: share of the target spread over all classes.
    """

    def __init__(self, model, label_smoothing=0.0):
        self._smoothing = label_smoothing
        self._training = model.for_training() if hasattr(model, "for_training") else None
        self._trained = self._training or model
        self.term_names = tuple(self._training.terms) if self._training else ()

    @property
    def variables(self):
        """All that a resumed training must find again, but the optimizer's."""
        return self._trained.variables

    @property
    def trainable_variables(self):
        return self._trained.trainable_variables

    def outputs(self, images):
        """A dictionary with "logits" and whatever else the loss looks at, as float32; training mode."""
        outputs = self._trained(images, training=True)
        outputs = outputs if self._training else {"logits": outputs}
        return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

    def losses(self, labels, outputs, targets=None, weight=None, parts=1):
        """The whole loss, and the model's own terms in the order of ``term_names``.

        Under ``tf.distribute`` they are this replica's part: the sum over the replicas is the loss of the whole batch.

        Args:
            labels: int ``(rows,)``.
            outputs: of ``outputs``.
            targets: float ``(rows, classes)``; None: the labels.
            weight: what a mean over these rows counts by, where they are not the whole batch.
            parts: how many calls make up one batch on this replica.
        """
        if targets is None:
            targets = tf.one_hot(labels, outputs["logits"].shape[1])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        share = (1.0 if weight is None else weight) / parts
        own = self._training.extra_losses(labels, outputs) if self._training else {}
        own = {name: tf.cast(value, tf.float32) for name, value in own.items()}
        # Keras's losses have been divided by the number of replicas already.
        terms = [own[name] if weight is None else share * own[name] for name in self.term_names]
        total = self._cross_entropy(targets, outputs["logits"])
        regularizers = [tf.cast(value, tf.float32) for value in self._trained.losses]
        if weight is not None:
            total = total * (share / replicas)
            regularizers = [value / (replicas * parts) for value in regularizers]
        return tf.add_n([total, *terms, *regularizers]), terms

    def after_step(self, labels, outputs):
        if self._training:
            self._training.after_step(labels, outputs)

    def _cross_entropy(self, targets, logits):
        if self._smoothing:
            counts = tf.reduce_sum(targets, axis=1, keepdims=True)  # 1, or the weight of the row
            targets = targets * (1.0 - self._smoothing) + counts * (
                self._smoothing / logits.shape[1]
            )
        return tf.reduce_mean(
            tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        )
