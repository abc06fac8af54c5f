"""What a training minimizes: cross-entropy, the model's regularizers, and the terms that the model itself brings along."""

import tensorflow as tf


class Objective:
    """The loss of a model, and all variables that training it involves.

    A model with ``for_training()`` (see ``registry.ModelEntry``) is trained through what that returns: more outputs, more loss
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
        """A dictionary with "logits" and whatever else the loss looks at; training mode."""
        outputs = self._trained(images, training=True)
        return outputs if self._training else {"logits": outputs}

    def losses(self, labels, outputs):
        """The whole loss, and the model's own terms in the order of ``term_names``."""
        terms = self._training.extra_losses(labels, outputs) if self._training else {}
        terms = [terms[name] for name in self.term_names]
        regularizers = self._trained.losses
        total = self._cross_entropy(labels, outputs["logits"])
        return tf.add_n([total, *terms, *regularizers]), terms

    def after_step(self, labels, outputs):
        if self._training:
            self._training.after_step(labels, outputs)

    def _cross_entropy(self, labels, logits):
        targets = tf.one_hot(labels, logits.shape[1])
        if self._smoothing:
            targets = targets * (1.0 - self._smoothing) + self._smoothing / logits.shape[1]
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits))
