"""`train`: trains a model by a recipe, then measures its best epoch on the validation split."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

import generate_data
from ferkit.cli.arguments import STRATEGIES, add_boolean, seconds
from ferkit.cli.recipe_flags import (
    RecipeFlags,
    add_model_and_recipe,
    add_recipe_values,
    recipe_from_options,
)
from ferkit.cli.setup import DatasetFlags, add_dataset, set_up_if_needed
from ferkit.cli.which_model import resume_command
from ferkit.input_pipeline.fingerprint import fingerprint_of
from ferkit.models.interface import merged
from ferkit.models.registry import DEFAULT_MODEL
from ferkit.recipes.fit_checks import check_batch_fits, check_devices_fit, fit_votes
from ferkit.recipes.recipe import Recipe
from ferkit.tensorflow_runtime import check_backend

if TYPE_CHECKING:
    import keras

    from ferkit.input_pipeline.dataset import Split
    from ferkit.training.devices import Devices
    from ferkit.training.run_folder import RunFolder
    from generate_data.manifest import Manifest

EXAMPLES = """\
examples:
  python main.py train -d data
      Deep-Emotion as in the paper (500 epochs: hours on a CPU)
  python main.py train -d data --recipe input_warp --epochs 30
  python main.py train -d data --recipe paper_best --precision bfloat16
      the same network with the training recipe that reached the best accuracy
  python main.py train -d data --run runs/mine --learning_rate 0.001 --seed 1
  python main.py train --resume --run runs/mine
      continue after Ctrl-C, a crash or kill -9
  python main.py train -m dan -d data
      a small DAN on FER2013, from scratch
  python main.py train -m dan --dataset affectnet --aff_path datasets/AffectNet/ --epochs 40
  python main.py train -m dan -d data --backbone resnet18 --num_heads 2 --partition_weight 0
"""

_LONG_TRAINING_IMAGES = 500_000  # more images than this over all epochs take hours on a CPU
_LARGE_IMAGE_SIZE = 100  # so do larger images than this, in pixels
_TENSORBOARD_IMAGES = 50  # how often images are logged in a training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(DatasetFlags, RecipeFlags):
    """What the user gave to `train`.

    Attributes:
        run: run folder; None: a new one in runs/.
        resume: resume that run, or the newest.
        checkpoint_seconds: maximum seconds between checkpoints.
        tensorboard: write logs for TensorBoard.
        strategy: one of ``STRATEGIES``.
        devices: number of devices of strategy "mirrored"; None: all GPUs.
    """

    run: str | None
    resume: bool
    checkpoint_seconds: float
    tensorboard: bool
    strategy: str
    devices: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `train`."""
    add_dataset(parser)
    add_training_flags(parser)


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `train`, except those of the dataset."""
    group = parser.add_argument_group("training")
    add_model_and_recipe(group, DEFAULT_MODEL)
    group.add_argument(
        "--run",
        default=None,
        metavar="DIR",
        help="run folder (default: runs/<date-time>-<model>)",
    )
    add_boolean(
        group,
        "--resume",
        help_text="resume --run, or the newest run; if there is none, start a new one",
    )
    group.add_argument(
        "--checkpoint_seconds",
        type=seconds,
        default=60.0,
        metavar="X",
        help="maximum seconds between checkpoints (default: 60)",
    )
    add_boolean(
        group,
        "--tensorboard",
        help_text="write learning curves, faces and model visualizations to RUN/tensorboard",
    )
    group.add_argument(
        "--strategy",
        type=str.lower,
        choices=STRATEGIES,
        default="one",
        help="one device, several devices of this machine (mirrored), or several machines "
        "(multiworker, configured by TF_CONFIG) (default: one)",
    )
    group.add_argument(
        "--devices",
        type=int,
        default=None,
        metavar="N",
        help="number of devices of --strategy mirrored (default: all GPUs)",
    )
    add_boolean(
        group,
        "-hparams",
        "--hparams",
        "--hyperparams",
        help_text="accepted for compatibility; hyperparameters apply with or without it",
    )
    add_recipe_values(parser)


def run(options: Options) -> int:
    """Train, or resume a training; returns the exit code, 130 if it was stopped."""
    check_backend()  # first: before a long set-up
    from ferkit.training import devices, resume  # late: NumPy and TensorFlow

    resumed_run, recipe = None, None
    if options.resume:
        resumed_run, recipe = resume.resumed_run(
            options.run, options.model, options.recipe, options.overrides
        )
    if resumed_run is None:
        recipe_from_options(options, options.kind)  # report a wrong value before a long set-up
    set_up_if_needed(options)
    manifest = generate_data.read_manifest(options.folder)
    if recipe is None:
        recipe = recipe_from_options(options, manifest.description.get("dataset"))
        recipe = fit_votes(recipe, manifest, options.overrides)
    fingerprint = fingerprint_of(manifest)
    if resumed_run:
        resume.check_same_dataset(resumed_run, fingerprint)
        if options.strategy != "multiworker" and resumed_run.finished(recipe):
            return _report_finished(resumed_run)
    check_batch_fits(recipe, manifest)
    opened = devices.open_devices(options.strategy, options.devices)
    recipe = resume.same_on_all_workers(opened, recipe, fingerprint)
    check_devices_fit(recipe, opened.replicas)
    return _train(options, opened, recipe, manifest, fingerprint, resumed_run)


def _train(
    options: Options,
    devices: "Devices",
    recipe: Recipe,
    manifest: "Manifest",
    fingerprint: dict,
    resumed_run: "RunFolder | None",
) -> int:
    from ferkit.reporting import run_report  # late: TensorFlow, after the devices are open
    from ferkit.training import build_model, run_folder, trainer

    is_new = resumed_run is None or not resumed_run.checkpoints.files()
    model = build_model.new_model(recipe, manifest, is_new, devices)
    train_split, val_split = build_model.training_splits(manifest, model)
    if not devices.is_chief:
        worker = trainer.Trainer(model, recipe, train_split, val_split, None, devices)
        return 0 if worker.fit() else 130
    this_run = resumed_run or run_folder.RunFolder.create(options.run, recipe, fingerprint)
    with this_run.lock(), this_run.removed_if_it_fails_to_start(is_new=resumed_run is None):
        this_run.prepare_resume(recipe)
        _announce(recipe, train_split, val_split, model, this_run, devices)
        hooks = []
        if options.tensorboard:
            images_every = max(1, recipe.epochs // _TENSORBOARD_IMAGES)
            hooks = [run_report.tensorboard_log(this_run, model, val_split, images_every)]
        chief = trainer.Trainer(
            model,
            recipe,
            train_split,
            val_split,
            this_run,
            devices,
            options.checkpoint_seconds,
            hooks,
        )
        if not chief.fit():
            data = "" if options.folder == "data" else f" -d {options.folder}"
            print(f"Stopped; nothing is lost. Resume it with: {resume_command(this_run)}{data}")
            return 130
        print(run_report.report_best_epoch(this_run, chief.val))
        return 0


def _announce(
    recipe: Recipe,
    train_split: "Split",
    val_split: "Split",
    model: "keras.Model",
    this_run: "RunFolder",
    devices: "Devices",
) -> None:
    saved, trained = merged(model).count_params(), model.count_params()
    more = f" ({trained:,} during training)" if trained != saved else ""
    print(
        f"{recipe.model}, recipe {recipe.name}: {saved:,} parameters{more}; "
        f"{len(train_split):,} train and {len(val_split):,} val images; {recipe.epochs} epochs, "
        f"batch size {recipe.batch_size}, {recipe.optimizer} at {recipe.learning_rate:g}, "
        f"seed {recipe.seed}"
    )
    print(f"Run folder: {this_run.path}")
    if devices.replicas > 1:
        workers = f" of {devices.workers} machines" if devices.workers > 1 else ""
        print(f"Every batch is split over {devices.replicas} devices{workers}.")
    images = recipe.epochs * len(train_split)
    if images > _LONG_TRAINING_IMAGES or recipe.image_size > _LARGE_IMAGE_SIZE:
        print(
            f"{recipe.epochs} epochs take hours on a CPU; the remaining time is shown after each. "
            "You can stop at any time: Ctrl-C saves, and --resume continues."
        )


def _report_finished(finished_run: "RunFolder") -> int:
    history = finished_run.history()
    best = finished_run.best_epoch(history)
    print(
        f"{finished_run.path}: finished already, {len(history)} epochs, the best {best['epoch']} "
        f"with validation accuracy {float(best['val_accuracy']):.2%}. "
        f"Report: {finished_run.report / 'index.html'}. To train longer, give more --epochs."
    )
    return 0
