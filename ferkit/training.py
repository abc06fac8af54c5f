"""The training loop: every random number a function of (seed, epoch, row), so that a killed run continues its own curve."""

import contextlib
import signal
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from .errors import UserError
from .metrics import measure
from .objective import Objective
from .optimization import build_optimizer, learning_rate
from .pipeline import LogitsFunction, TrainingBatches
from .watch import TrainingWatch

BACKUP_SECONDS = 120
LOSS_CHECK_STEPS = 25


class Trainer:
    """Trains a model by a recipe, in a run folder, from wherever that folder's backup stands.

    Args:
        model: a Keras model from pixels in [0, 255] to logits, all its weights built.
        recipe: a ``Recipe``.
        train, val: ``dataset.Split``.
        run: a ``RunFolder``.

    Example:
        >>> finished = Trainer(model, recipe, train, val, run).fit()
    """

    def __init__(self, model, recipe, train, val, run):
        self.model, self.recipe, self.val, self.run = model, recipe, val, run
        self.objective = Objective(model, recipe.label_smoothing)
        self.batches = TrainingBatches(train, recipe, model.input_shape[1:])
        self.optimizer = build_optimizer(recipe, self.objective.trainable_variables)
        self.watch = TrainingWatch(recipe, val.class_names)
        self._logits = LogitsFunction(model, val.images.shape[1:])
        # One graph for every batch size: the last, smaller batch must not change how the others are rounded after a resume.
        shape = (None, *model.input_shape[1:])
        rows = [tf.TensorSpec((None,), tf.int32)] * 2
        self._step = tf.function(self._train_step, input_signature=[tf.TensorSpec(shape, tf.float32), *rows])
        self.epoch, self.step = 0, 0
        # Of this epoch so far: loss * rows, right answers, rows, and each further term of the loss * rows.
        self.totals = np.zeros(3 + len(self.objective.term_names))
        self.history, self.best = [], None

    # ---- one step -----------------------------------------------------------------------------------------------------

    def _train_step(self, images, labels, keys):
        """Returns the batch's part of ``totals``, and updates the weights."""
        objective, recipe = self.objective, self.recipe
        with tf.GradientTape() as tape:
            with row_keys(self.model, keys):
                outputs = objective.outputs(images)
            loss, terms = objective.losses(labels, outputs)
        variables = objective.trainable_variables
        gradients = tape.gradient(loss, variables)
        if recipe.l2:
            gradients = [gradient + recipe.l2 * variable for gradient, variable in zip(gradients, variables, strict=True)]
        self.optimizer.apply(gradients, variables)
        objective.after_step(labels, outputs)
        count = tf.cast(tf.shape(labels)[0], tf.float32)
        predicted = tf.argmax(outputs["logits"], axis=1, output_type=tf.int32)
        right = tf.reduce_sum(tf.cast(tf.equal(predicted, labels), tf.float32))
        return tf.stack([loss * count, right, count, *(term * count for term in terms)])

    # ---- the loop -----------------------------------------------------------------------------------------------------

    def fit(self) -> bool:
        """Train to the recipe's last epoch. True when it got there, False when a signal stopped it; both leave a backup."""
        self._restore()
        started = time.monotonic()
        first = self.epoch + self.step / self.batches.steps
        with stop_signals() as stopped:
            while self.epoch < self.recipe.epochs and not stopped:
                if not self._one_epoch(stopped):
                    self._backup()
                    break
                done = self.epoch - first
                remaining = (time.monotonic() - started) / done * (self.recipe.epochs - self.epoch)
                self._tell(remaining)
        return self.epoch >= self.recipe.epochs

    def _one_epoch(self, stopped) -> bool:
        began, first_step, last_backup = time.monotonic(), self.step, time.monotonic()
        bar = tqdm(
            total=self.batches.steps,
            initial=self.step,
            desc=f"epoch {self.epoch + 1}/{self.recipe.epochs}",
            unit="step",
            leave=False,
            mininterval=0.5,
        )
        sums = tf.constant(self.totals, tf.float64)
        with bar:
            for images, labels, keys in self.batches.epoch(self.epoch, self.step):
                self.optimizer.learning_rate = self._learning_rate()
                sums += tf.cast(self._step(images, labels, keys), tf.float64)
                self.step += 1
                bar.update()
                if self.step % LOSS_CHECK_STEPS == 0 or self.step == self.batches.steps:
                    self.totals = sums.numpy()
                    self.watch.check_loss(self.totals[0], self.epoch, self.step)
                    bar.set_postfix(loss=f"{self.totals[0] / self.totals[2]:.3f}", refresh=False)
                due = stopped or time.monotonic() - last_backup > BACKUP_SECONDS
                if due and self.step < self.batches.steps:  # the end of the epoch makes its own backup
                    self.totals = sums.numpy()
                    if stopped:
                        return False
                    self._backup()
                    last_backup = time.monotonic()
        self._end_of_epoch(time.monotonic() - began, first_step)
        return True

    def _learning_rate(self):
        return learning_rate(self.recipe, self.epoch * self.batches.steps + self.step, self.batches.steps)

    def _end_of_epoch(self, seconds, first_step):
        """Measure on the validation split, write the epoch down, keep the best; the backup comes last and vouches for it."""
        self.watch.check_weights([variable.numpy() for variable in self.objective.variables], self.epoch)
        loss_sum, right, rows, *terms = self.totals
        figures = measure(self._logits(self.val.images), self.val)
        share = (self.batches.steps - first_step) / self.batches.steps
        columns = ("loss", "accuracy", "accuracy_clean", "balanced_accuracy", "macro_f1")
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "learning_rate": f"{float(self.optimizer.learning_rate):.6g}",
                "loss": f"{loss_sum / rows:.6f}",
                **{f"loss_{name}": f"{total / rows:.6f}" for name, total in zip(self.objective.term_names, terms, strict=True)},
                "accuracy": f"{right / rows:.6f}",
                **{f"val_{name}": "" if figures[name] is None else f"{figures[name]:.6f}" for name in columns},
                "images_per_second": f"{rows * share / seconds:.0f}",
            }
        )
        for line in self.watch.after_epoch(self.epoch, np.array(figures["confusion"])):
            tqdm.write(line)
        score = [figures["accuracy"], -figures["loss"]]
        improved = self.best is None or score > self.best["score"]
        self.epoch, self.step, self.totals = self.epoch + 1, 0, np.zeros_like(self.totals)
        if improved:
            self.best = {"epoch": self.epoch, "score": score}
            self.run.save_model(self.model, self.run.best)
        self.run.save_model(self.model, self.run.last)
        self.run.write_history(self.history)
        self._backup()

    def _tell(self, remaining):
        last = self.history[-1]
        clean = f" (clean {float(last['val_accuracy_clean']):.2%})" if last["val_accuracy_clean"] else ""
        best = " best" if self.best["epoch"] == self.epoch else ""
        tqdm.write(
            f"epoch {self.epoch:3d}/{self.recipe.epochs}  "
            f"loss {float(last['loss']):.3f}  accuracy {float(last['accuracy']):.2%}  "
            f"| val loss {float(last['val_loss']):.3f}  accuracy {float(last['val_accuracy']):.2%}{clean}  "
            f"| {int(last['images_per_second']):,} images/s  remaining {duration(remaining)}{best}"
        )

    # ---- backup and restore -------------------------------------------------------------------------------------------

    def _variables(self):
        return [*self.objective.variables, *self.optimizer.variables]

    def _backup(self):
        position = {
            "epoch": self.epoch,
            "step": self.step,
            "totals": self.totals.tolist(),
            "best": self.best,
            "history": self.history,
            "collapsed_epochs": self.watch.collapsed_epochs,
        }
        arrays = {f"v{index}": variable.numpy() for index, variable in enumerate(self._variables())}
        self.run.save_state(position, arrays)

    def _restore(self):
        state = self.run.load_state()
        if state is None:
            return
        position, arrays = state
        variables = self._variables()
        if len(arrays) != len(variables) or any(arrays[f"v{k}"].shape != v.shape for k, v in enumerate(variables)):
            raise UserError(
                f"{self.run.state_file}: holds other weights than this model and optimizer have; resume with the recipe it was "
                "started with, or start a new run."
            )
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"v{index}"])
        self.epoch, self.step = position["epoch"], position["step"]
        self.totals, self.best = np.array(position["totals"]), position["best"]
        self.history = position["history"]
        self.watch.collapsed_epochs = position["collapsed_epochs"]


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


@contextlib.contextmanager
def stop_signals():
    """A list that becomes non-empty on Ctrl-C or SIGTERM; a second Ctrl-C stops at once."""
    stopped = []

    def note(number, frame):
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)
        tqdm.write("Stopping after this step ...")

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: no signals to catch
        before = {}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def duration(seconds: float) -> str:
    """A length of time in words.

    Example:
        >>> duration(4000)
        '1 h 7 min'
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def seed_everything(seed: int):
    """Seed what draws the initial weights; the loop's own chance does not depend on it."""
    keras.utils.set_random_seed(seed)
