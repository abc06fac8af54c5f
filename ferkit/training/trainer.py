"""The training loop: every random number a function of (seed, epoch, row), so that a killed run continues its own curve."""

import contextlib
import json
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import measure
from ferkit.input_pipeline.batches import TrainingBatches
from ferkit.training.devices import one_device
from ferkit.training.failures import user_errors
from ferkit.training.health_checks import HealthChecks
from ferkit.training.history import (
    epoch_scores,
    epochs_without_better,
    is_finished,
    is_stopped_early,
)
from ferkit.training.progress_bar import SHOWN_SECONDS, ProgressLine, duration, stop_signals
from ferkit.training.schedules import learning_rate
from ferkit.training.step import TrainingStep

CHECKPOINT_SECONDS = 60


class Trainer:
    """Trains a model by a recipe, in a run folder, from wherever that folder's checkpoint stands.

    Args:
        model: a Keras model from pixels in [0, 255] to logits, all its weights built, in the scope of `devices`.
        recipe: a ``Recipe``.
        train, val: ``dataset.Split``.
        run: a ``RunFolder``; None on all workers but the chief.
        devices: a ``devices.Devices``; None: one device.
        checkpoint_seconds: a checkpoint at least so often, besides the one at the end.
        log: None, or what is told of every epoch: called with its number, figures, confusion and shown faces (``tensorboard``).

    Example:
        >>> finished = Trainer(model, recipe, train, val, run).fit()
    """

    def __init__(
        self,
        model,
        recipe,
        train,
        val,
        run,
        devices=None,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        log=None,
    ):
        self.model, self.recipe, self.val, self.run, self.log = model, recipe, val, run, log
        self.devices, self.checkpoint_seconds = devices or one_device(), checkpoint_seconds
        self.step_function = TrainingStep(model, recipe, self.devices)
        workers = self.devices.worker, self.devices.workers
        self.batches = TrainingBatches(
            train,
            recipe,
            model.input_shape[1:],
            worker=workers,
            drop_below=self.step_function.fewest_rows,
            answers=run.answers if run else None,
        )
        self.watch = HealthChecks(recipe, val.class_names, run.checkpoints.folder if run else None)
        self._logits = BatchedLogits(model, val.images.shape[1:])
        self.epoch, self.step = 0, 0
        self.totals = np.zeros(self.step_function.totals_size)
        self.history = []

    # ---- the loop -----------------------------------------------------------------------------------------------------

    def fit(self) -> bool:
        """Train to the recipe's last epoch. True when it got there, False when a signal stopped it; both leave a checkpoint.

        Raises:
            UserError: numbers broke, memory or disk are full, a worker died; the last good checkpoint stays.
        """
        with stop_signals() as stopped, user_errors(self):
            self._restore()
            started, first = time.monotonic(), self.epoch + self.step / self.batches.steps
            while not self.finished and self._one_epoch(stopped):
                seconds_an_epoch = (time.monotonic() - started) / (self.epoch - first)
                self._tell(seconds_an_epoch * (self.recipe.epochs - self.epoch))
        return self.finished

    @property
    def finished(self) -> bool:
        return is_finished(self.recipe, self.epoch, self.step, self.history)

    def _one_epoch(self, stopped) -> bool:
        """The rest of an epoch; False when it was stopped before its end."""
        began, first_step = time.monotonic(), self.step
        last_checkpoint = last_shown = began
        sums, scores, several = (
            tf.constant(self.totals, tf.float64),
            epoch_scores(self.history),
            self.devices.workers > 1,
        )
        line = ProgressLine(
            self.epoch + 1, self.recipe.epochs, self.batches.steps, self.step, self.devices.chief
        )
        with line:
            for batch in self.batches.epoch(self.epoch, self.step):
                rate = learning_rate(
                    self.recipe,
                    self.epoch * self.batches.steps + self.step,
                    self.batches.steps,
                    scores,
                )
                sums = self.step_function(batch, rate, sums)
                self.step += 1
                line.step(int(batch[-1]))
                now, last = time.monotonic(), self.step == self.batches.steps
                stop = self._anyone(stopped)
                due = now - last_checkpoint > self.checkpoint_seconds
                if due or stop or last or several or now - last_shown > SHOWN_SECONDS:
                    self.totals, last_shown = sums.numpy(), now
                    self.watch.check_steps(self.totals[3], self.epoch, self.step)
                    line.show(self.totals[0] / self.totals[2], self.totals[1] / self.totals[2])
                if (stop or due) and not last:
                    self._checkpoint(leaving=stop)
                    last_checkpoint = time.monotonic()
                    if stop:
                        return False
        self._end_of_epoch(time.monotonic() - began, first_step, rate)
        self._checkpoint(leaving=stop or self.finished)
        return not stop or self.finished

    def _anyone(self, stopped):
        """Whether a signal asked any of the workers to stop: they must all do so at the same step."""
        if self.devices.workers == 1:
            return bool(stopped)
        return bool(self.devices.all_reduce_sum(np.array([len(stopped)]))[0])

    def _end_of_epoch(self, seconds, first_step, rate):
        """Measure on the validation split, write the epoch down, keep the best."""
        self.watch.check_weights(
            [variable.numpy() for variable in self.step_function.variables], self.epoch
        )
        with self._measured_weights():
            figures = measure(self._validation_logits(), self.val)
            self.history.append(self._history_row(figures, seconds, first_step, rate))
            said = self.watch.after_epoch(self.epoch, np.array(figures["confusion"]))
            self.epoch, self.step, self.totals = self.epoch + 1, 0, np.zeros_like(self.totals)
            improved = epochs_without_better(epoch_scores(self.history)) == 0
            if self.devices.chief:
                self.run.write_history(self.history)
                if improved:
                    self.run.save_model(self.model, self.run.best)
                if self.log:
                    self._log(figures)
                for line in said:
                    tqdm.write(line)

    def _history_row(self, figures, seconds, first_step, rate):
        loss_sum, right, rows, _, *terms = self.totals
        share = (self.batches.steps - first_step) / self.batches.steps
        columns = ("loss", "accuracy", "accuracy_clean", "balanced_accuracy", "macro_f1")
        names = self.step_function.objective.term_names
        return {
            "epoch": self.epoch + 1,
            "learning_rate": f"{rate:.6g}",
            "loss": f"{loss_sum / rows:.6f}",
            **{
                f"loss_{name}": f"{total / rows:.6f}"
                for name, total in zip(names, terms, strict=True)
            },
            "accuracy": f"{right / rows:.6f}",
            **{
                f"val_{name}": "" if figures[name] is None else f"{figures[name]:.6f}"
                for name in columns
            },
            "images_per_second": f"{rows * share / seconds:.0f}",
        }

    def _validation_logits(self):
        """Logits of the validation rows; several workers take a share each."""
        if self.devices.workers == 1:
            return self._logits(self.val.images)
        own = self.devices.share(len(self.val))
        logits = np.zeros((len(self.val), len(self.val.class_names)))
        logits[own] = self._logits(self.val.images[own])
        return self.devices.all_reduce_sum(logits)

    def _measured_weights(self):
        """Within, the model has the weights that are measured and kept: averaged ones, where the recipe wants them."""
        averaged = self.step_function.averaged
        return averaged.in_place() if averaged else contextlib.nullcontext()

    def _log(self, figures):
        row = {
            key: float(value)
            for key, value in self.history[-1].items()
            if key != "epoch" and value != ""
        }
        scalars = {
            f"validation/{key[4:]}" if key.startswith("val_") else f"train/{key}": value
            for key, value in row.items()
        }
        shown = next(iter(self.batches.epoch(self.epoch)))[0].numpy()
        self.log.epoch(self.epoch, scalars, np.array(figures["confusion"]), shown)

    def _tell(self, seconds_left):
        if not self.devices.chief:
            return
        last = self.history[-1]
        clean = (
            f" (clean {float(last['val_accuracy_clean']):.2%})"
            if last["val_accuracy_clean"]
            else ""
        )
        waited = epochs_without_better(epoch_scores(self.history))
        best = "" if waited else "  best"
        tqdm.write(
            f"epoch {self.epoch:3d}/{self.recipe.epochs}  "
            f"loss {float(last['loss']):.3f}  accuracy {float(last['accuracy']):.2%}  "
            f"| val loss {float(last['val_loss']):.3f}  accuracy {float(last['val_accuracy']):.2%}{clean}  "
            f"| {int(last['images_per_second']):,} images/s  {duration(seconds_left)} left{best}"
        )
        if is_stopped_early(self.recipe, self.history):
            best_epoch, patience = self.epoch - waited, self.recipe.early_stopping
            tqdm.write(
                f"Stopped early: no better epoch since epoch {best_epoch} (--early_stopping {patience})."
            )

    # ---- checkpoint and restore ---------------------------------------------------------------------------------------

    def _checkpoint(self, leaving=False):
        """Write down everything. `leaving`: last.keras too, and first: a checkpoint of a finished run vouches for it."""
        position = {
            "epoch": self.epoch,
            "step": self.step,
            "totals": self.totals.tolist(),
            "history": self.history,
            "collapsed_epochs": self.watch.collapsed_epochs,
        }
        arrays = {
            f"v{index}": variable.numpy()
            for index, variable in enumerate(self.step_function.variables)
        }
        self.watch.check_weights(list(arrays.values()), self.epoch)
        if not self.devices.chief:
            return
        if leaving:
            with self._measured_weights():
                self.run.save_model(self.model, self.run.last)
        self.run.checkpoints.save(position, arrays)

    def _restore(self):
        """Take up the chief's checkpoint, on every worker."""
        variables = self.step_function.variables
        state = self.run.checkpoints.load() if self.devices.chief else None
        position, arrays = state or (None, {})
        values = list(arrays.values())
        if state and [value.shape for value in values] != [
            tuple(variable.shape) for variable in variables
        ]:
            raise UserError(
                f"{self.run.checkpoints.folder}: holds other weights than this model and optimizer have; resume with the recipe "
                "it was started with, or start a new run."
            )
        for line in self.run.checkpoints.said if self.devices.chief else ():
            tqdm.write(line)
        position = json.loads(self.devices.broadcast_text(json.dumps(position)))
        if position is None:
            return
        if self.devices.workers > 1:
            own = values if self.devices.chief else [variable.numpy() for variable in variables]
            values = self.devices.broadcast(own)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.epoch, self.step = position["epoch"], position["step"]
        self.totals, self.history = np.array(position["totals"]), position["history"]
        self.watch.collapsed_epochs = position["collapsed_epochs"]


def seed_everything(seed: int):
    """Seed what draws the initial weights; the loop's own chance does not depend on it."""
    keras.utils.set_random_seed(seed)
