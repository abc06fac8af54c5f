"""The training loop.

Every random number is a function of (seed, epoch, row), so that an interrupted run continues its
own curve.
"""

import contextlib
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import measure
from ferkit.input_pipeline.batches import TrainingBatches
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.learned import unexpectedly_learned, with_learned
from ferkit.input_pipeline.training_record import training_record
from ferkit.models.registry import health_of_model
from ferkit.recipes.recipe import Recipe
from ferkit.training.devices import Devices, one_device
from ferkit.training.failures import user_errors
from ferkit.training.health_checks import HealthChecks
from ferkit.training.history import (
    epoch_scores,
    epochs_without_better,
    is_finished,
    is_stopped_early,
)
from ferkit.training.hooks import EpochReport, Hook
from ferkit.training.optimizers import learning_rate
from ferkit.training.progress_bar import SHOWN_SECONDS, ProgressLine, duration, stop_signals
from ferkit.training.run_folder import RunFolder
from ferkit.training.step import TrainingStep
from ferkit.training.targets import training_targets
from ferkit.training.teachers import BatchTeachers, teacher_digests

CHECKPOINT_SECONDS = 60
CHECKED_IMAGES = 256  # validation images for the warnings of the model's package


class Trainer:
    """Trains a model by a recipe in a run folder, from its last checkpoint on.

    Args:
        model: a Keras model from pixels in [0, 255] to logits, with all weights built, in the scope
            of `devices`.
        recipe: hyperparameters.
        train: training rows.
        val: validation rows.
        run: the run folder; None on all workers except the chief.
        devices: what the training runs on; None: one device.
        checkpoint_seconds: maximum seconds between checkpoints.
        hooks: called at fixed points of the training, on the chief worker.

    Raises:
        UserError: a teacher is missing, has other classes, or is another file than when the run was
            started.

    Example:
        >>> finished = Trainer(model, recipe, train, val, run).fit()
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        train: Split,
        val: Split,
        run: RunFolder | None,
        devices: Devices | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.model, self.recipe, self.run = model, recipe, run
        if run and recipe.teacher:
            run.keep_teachers(teacher_digests(recipe.teacher))
        self.val = self._recorded(run, train, val) if run else val
        self.devices, self.checkpoint_seconds = devices or one_device(), checkpoint_seconds
        self.hooks = hooks if self.devices.is_chief else ()
        self.step_function = TrainingStep(
            model, recipe, self.devices, self._batch_teachers(val.class_names)
        )
        self.batches = TrainingBatches(
            train,
            training_targets(train, recipe, run.teacher_predictions if run else None),
            recipe,
            model.input_shape[1:],
            worker=(self.devices.worker, self.devices.workers),
            drop_below=self.step_function.min_rows,
        )
        checkpoint_folder = run.checkpoints.folder if run else None
        self.health = HealthChecks(recipe, val.class_names, checkpoint_folder)
        self._logits = BatchedLogits(model, val.images.shape[1:])
        self.epoch, self.step = 0, 0
        self.totals = np.zeros(self.step_function.totals_size)
        self.history: list[dict[str, Any]] = []

    def _batch_teachers(self, class_names: tuple[str, ...]) -> BatchTeachers | None:
        """The teachers that predict augmented images, if the recipe has such."""
        recipe = self.recipe
        if recipe.teacher_images == "original":
            return None
        with self.devices.scope():
            return BatchTeachers(recipe.teacher, class_names, recipe.teacher_weight)

    def _recorded(self, run: RunFolder, train: Split, val: Split) -> Split:
        """Give the run the record of what it learns from.

        Returns:
            The validation rows, with the information which of them initial weights or teachers have
            learned.
        """
        rows_sha256 = run.record()["dataset"].get("rows_sha256", "")
        record = run.stored_trained_on() or training_record(train, self.recipe, rows_sha256)
        val = with_learned(val, record)
        run.keep_trained_on(record, int(unexpectedly_learned(val).sum()))
        return val

    # ---- the loop ----

    def fit(self) -> bool:
        """Train to the recipe's last epoch.

        Returns:
            True at the end of the training, False if a signal stopped it. Both leave a checkpoint.

        Raises:
            UserError: numbers are not finite, memory or disk are full, or a worker was lost; the
                last good checkpoint remains.
        """
        with stop_signals() as stopped, user_errors(self):
            self._restore()
            self._warn_of_learned_images()
            started, first = time.monotonic(), self.epoch + self.step / self.batches.steps
            while not self.finished and self._one_epoch(stopped):
                seconds_per_epoch = (time.monotonic() - started) / (self.epoch - first)
                self._print_epoch(seconds_per_epoch * (self.recipe.epochs - self.epoch))
        return self.finished

    @property
    def finished(self) -> bool:
        """Whether the training has reached its end."""
        return is_finished(self.recipe, self.epoch, self.step, self.history)

    def _one_epoch(self, stopped: list[int]) -> bool:
        """The rest of an epoch; False if it was stopped before its end."""
        for hook in self.hooks:
            hook.on_epoch_start(self)
        began, first_step = time.monotonic(), self.step
        last_checkpoint = last_shown = began
        sums, scores, several = (
            tf.constant(self.totals, tf.float64),
            epoch_scores(self.history),
            self.devices.workers > 1,
        )
        line = ProgressLine(
            self.epoch + 1, self.recipe.epochs, self.batches.steps, self.step, self.devices.is_chief
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
                for hook in self.hooks:
                    hook.on_step(self)
                now, last = time.monotonic(), self.step == self.batches.steps
                stop = self._any_worker(stopped)
                due = now - last_checkpoint > self.checkpoint_seconds
                if due or stop or last or several or now - last_shown > SHOWN_SECONDS:
                    self.totals, last_shown = sums.numpy(), now
                    self.health.check_steps(self.totals[3], self.epoch, self.step)
                    line.show(self.totals[0] / self.totals[2], self.totals[1] / self.totals[2])
                if (stop or due) and not last:
                    self._checkpoint(leaving=stop)
                    last_checkpoint = time.monotonic()
                    if stop:
                        return False
        self._end_of_epoch(time.monotonic() - began, first_step, rate)
        self._checkpoint(leaving=stop or self.finished)
        return not stop or self.finished

    def _any_worker(self, stopped: list[int]) -> bool:
        """Whether a signal stops any of the workers; all must stop at the same step."""
        if self.devices.workers == 1:
            return bool(stopped)
        return bool(self.devices.all_reduce_sum(np.array([len(stopped)]))[0])

    def _end_of_epoch(self, seconds: float, first_step: int, rate: float) -> None:
        """Evaluate on the validation split, write the history, save the best model."""
        self.health.check_weights(
            [variable.numpy() for variable in self.step_function.variables], self.epoch
        )
        with self._evaluated_weights():
            figures = measure(self._validation_logits(), self.val)
            self.history.append(self._history_row(figures, seconds, first_step, rate))
            messages = self.health.after_epoch(self.epoch, np.array(figures["confusion"]))
            self.epoch, self.step, self.totals = self.epoch + 1, 0, np.zeros_like(self.totals)
            if self.finished:
                messages += self._model_warnings()
            improved = epochs_without_better(epoch_scores(self.history)) == 0
            if self.run:
                self.run.write_history(self.history)
                if improved:
                    self.run.save_model(self.model, self.run.best)
                self._call_hooks(figures)
                for line in messages:
                    tqdm.write(line)

    def _model_warnings(self) -> list[str]:
        """What the model's package warns of, on some validation images."""
        health = health_of_model(self.model)
        return health.warnings(self.model, self.val.images[:CHECKED_IMAGES]) if health else []

    def _history_row(
        self, figures: dict[str, Any], seconds: float, first_step: int, rate: float
    ) -> dict[str, Any]:
        loss_sum, correct, rows, _, *terms = self.totals
        fraction = (self.batches.steps - first_step) / self.batches.steps
        columns = ("loss", "accuracy", "accuracy_clean", "balanced_accuracy", "macro_f1")
        names = self.step_function.loss.term_names
        return {
            "epoch": self.epoch + 1,
            "learning_rate": f"{rate:.6g}",
            "loss": f"{loss_sum / rows:.6f}",
            **{
                f"loss_{name}": f"{total / rows:.6f}"
                for name, total in zip(names, terms, strict=True)
            },
            "accuracy": f"{correct / rows:.6f}",
            **{
                f"val_{name}": "" if figures[name] is None else f"{figures[name]:.6f}"
                for name in columns
            },
            "images_per_second": f"{rows * fraction / seconds:.0f}",
        }

    def _validation_logits(self) -> np.ndarray:
        """Logits of the validation rows, computed by all workers together."""
        if self.devices.workers == 1:
            return self._logits(self.val.images)
        part = self.devices.share(len(self.val))
        logits = np.zeros((len(self.val), len(self.val.class_names)))
        logits[part] = self._logits(self.val.images[part])
        return self.devices.all_reduce_sum(logits)

    def _evaluated_weights(self) -> AbstractContextManager[None]:
        """In this context, the model has the weights that are evaluated and saved (``ema``)."""
        averaged = self.step_function.averaged
        return averaged.swapped_in() if averaged else contextlib.nullcontext()

    def _call_hooks(self, figures: dict[str, Any]) -> None:
        """Call ``on_epoch`` with the figures of the last epoch."""
        scalars = {
            f"validation/{name[4:]}" if name.startswith("val_") else f"train/{name}": float(value)
            for name, value in self.history[-1].items()
            if name != "epoch" and value != ""
        }
        report = EpochReport(
            self.epoch,
            scalars,
            np.array(figures["confusion"]),
            lambda: next(iter(self.batches.epoch(self.epoch)))[0].numpy(),
        )
        for hook in self.hooks:
            hook.on_epoch(self, report)

    def _warn_of_learned_images(self) -> None:
        """Say so if initial weights or teachers were trained on validation images."""
        learned = int(unexpectedly_learned(self.val).sum())
        if learned:
            tqdm.write(
                f"Warning: the initial weights or the teachers were trained on {learned:,} of the "
                f"{len(self.val):,} validation images: the validation figures are not those of "
                "new images."
            )

    def _print_epoch(self, seconds_left: float) -> None:
        if not self.devices.is_chief:
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
            f"| val loss {float(last['val_loss']):.3f}  accuracy "
            f"{float(last['val_accuracy']):.2%}{clean}  "
            f"| {int(last['images_per_second']):,} images/s  {duration(seconds_left)} left{best}"
        )
        if is_stopped_early(self.recipe, self.history):
            best_epoch, patience = self.epoch - waited, self.recipe.early_stopping
            tqdm.write(
                f"Stopped early: no better epoch since epoch {best_epoch} "
                f"(--early_stopping {patience})."
            )

    # ---- checkpoint and restore ----

    def _checkpoint(self, leaving: bool = False) -> None:
        """Write a checkpoint.

        Args:
            leaving: write last.keras too, and first: the checkpoint of a finished run implies it.
        """
        position = {
            "epoch": self.epoch,
            "step": self.step,
            "totals": self.totals.tolist(),
            "history": self.history,
            "collapsed_epochs": self.health.collapsed_epochs,
        }
        arrays = {
            f"v{index}": variable.numpy()
            for index, variable in enumerate(self.step_function.variables)
        }
        self.health.check_weights(list(arrays.values()), self.epoch)
        if not self.run:
            return
        if leaving:
            with self._evaluated_weights():
                self.run.save_model(self.model, self.run.last)
        self.run.checkpoints.save(position, arrays)

    def _restore(self) -> None:
        """Load the chief's checkpoint on every worker."""
        variables = self.step_function.variables
        state = self.run.checkpoints.load() if self.run else None
        position, arrays = state or (None, {})
        values = list(arrays.values())
        if (
            self.run
            and state
            and [value.shape for value in values]
            != [tuple(variable.shape) for variable in variables]
        ):
            problem = "its weights are not those of this model and optimizer"
            advice = "resume with the recipe that the run was started with, or start a new run"
            raise UserError(self.run.checkpoints.folder, problem, advice)
        for line in self.run.checkpoints.warnings if self.run else ():
            tqdm.write(line)
        position = json.loads(self.devices.broadcast_text(json.dumps(position)))
        if position is None:
            return
        if self.devices.workers > 1:
            is_chief = self.devices.is_chief
            local = values if is_chief else [variable.numpy() for variable in variables]
            values = self.devices.broadcast(local)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.epoch, self.step = position["epoch"], position["step"]
        self.totals, self.history = np.array(position["totals"]), position["history"]
        self.health.collapsed_epochs = position["collapsed_epochs"]
