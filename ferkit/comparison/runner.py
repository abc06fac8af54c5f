"""Runs a comparison: trains the contestants with each seed, and then measures their speed."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from ferkit.comparison.plan import ComparisonPlan, write_plan
from ferkit.comparison.speed import measure_speed
from ferkit.comparison.table import summarize_run, write_comparison
from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import Split
from ferkit.models.interface import merged
from ferkit.models.multiply_adds import multiply_adds
from ferkit.recipes.recipe import Recipe
from ferkit.training.build_model import new_model, training_splits
from ferkit.training.run_folder import RunFolder
from ferkit.training.trainer import Trainer
from generate_data.manifest import Manifest

FAILED, STOPPED = 1, 130  # exit codes

# Trains a run from wherever it is; False if a signal stopped it.
Fit = Callable[[Recipe, RunFolder], bool]


def run_comparison(folder: Path, plan: ComparisonPlan, manifest: Manifest) -> int:
    """Train the contestants, measure their speed, and write the results.

    Args:
        folder: folder of the comparison.
        plan: what to train.
        manifest: the dataset.

    Returns:
        The exit code: 0, 1 if a training failed, or 130 if a signal stopped it.
    """
    costs = _model_sizes(plan, manifest)
    write_plan(folder, plan)
    splits: dict[tuple[int | None, ...], tuple[Split, Split]] = {}

    def fit(recipe: Recipe, run: RunFolder) -> bool:
        model = new_model(recipe, manifest, first_weights=not run.checkpoints.files())
        if model.input_shape not in splits:
            splits[model.input_shape] = training_splits(manifest, model)
        with run.lock():  # first: the partial files that a resume removes may be another process's
            run.prepare_resume(recipe)
            return Trainer(model, recipe, *splits[model.input_shape], run).fit()

    try:
        results = train_all(folder, plan, fit)
        if results is None:
            return STOPPED
        splits.clear()
        print("\nMeasuring speed ...", flush=True)
        for name, speeds in measure_speed(_models(plan, manifest), plan.contestants).items():
            costs[name] |= speeds
    except KeyboardInterrupt:  # between the trainings, which handle the signal themselves
        return STOPPED
    write_comparison(folder, plan, results, costs)
    return FAILED if any(result["status"] == "failed" for result in results) else 0


def _models(plan: ComparisonPlan, manifest: Manifest) -> dict[str, keras.Model]:
    return {
        name: new_model(recipe, manifest, first_weights=False)
        for name, recipe in plan.contestants.items()
    }


def _model_sizes(plan: ComparisonPlan, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Parameters and multiply-adds of each contestant.

    All models are built before the first training, so that one that cannot be built fails at once.
    """
    models = {name: merged(model) for name, model in _models(plan, manifest).items()}
    return {
        name: {"parameters": model.count_params(), "multiply_adds": multiply_adds(model)}
        for name, model in models.items()
    }


def train_all(folder: Path, plan: ComparisonPlan, fit: Fit) -> list[dict[str, Any]] | None:
    """Train all runs that are not finished yet.

    Args:
        folder: folder of the comparison.
        plan: what to train.
        fit: trains one run.

    Returns:
        One result for each run, with its ``history``; None if a signal stopped a training.
    """
    results: list[dict[str, Any]] = []
    total = len(plan.seeds) * len(plan.contestants)
    for name, recipe, path in plan.runs(folder):
        run, reason = RunFolder(path), ""
        if len(run.history()) < recipe.epochs:
            print(f"\n[{len(results) + 1}/{total}] {name}, seed {recipe.seed}", flush=True)
            try:
                if not fit(recipe, _started(run, recipe, plan.dataset)):
                    return None
            except UserError as error:  # the next call of the command tries this run again
                reason = str(error)
                print(f"Failed: {reason}")
            # The graph of a step, its model and the images refer to one another; free them before
            # the next training. TensorFlow keeps some compiled code, 0.1 GB for a small DAN, until
            # the process ends.
            gc.collect()
        results.append(summarize_run(name, recipe, run, reason))
    return results


def _started(run: RunFolder, recipe: Recipe, dataset: dict[str, Any]) -> RunFolder:
    return run if run.exists else RunFolder.create(run.path, recipe, dataset)
