"""A comparison: contestants trained by one recipe with several seeds, each in a run folder of its
own, then timed in turn.

Imports nothing heavy at the top: the command line asks here for its defaults.
"""

import gc
from collections.abc import Callable
from pathlib import Path

from ferkit.comparison.plan import Plan, write_plan
from ferkit.errors import UserError
from ferkit.models.interface import merged
from ferkit.tensorflow_runtime import import_tensorflow

# ---- who takes part


# ---- the folder


# ---- the trainings


def train_all(folder: Path, plan: Plan, fit: Callable) -> list[dict] | None:
    """Train what is not trained yet.

    Args:
        folder: of the comparison.
        plan: what to train.
        fit: ``fit(recipe, run)`` trains from wherever the run stands; False when a signal stopped
            it.

    Returns:
        One result for each run, with its ``history``; None when a signal stopped a training.
    """
    from ferkit.comparison.table import summarize_run
    from ferkit.training.run_folder import RunFolder

    results, total = [], len(plan.seeds) * len(plan.contestants)
    for name, recipe, path in plan.runs(folder):
        run, reason = RunFolder(path), ""
        if len(run.history()) < recipe.epochs:
            print(f"\n[{len(results) + 1}/{total}] {name}, seed {recipe.seed}", flush=True)
            try:
                if not fit(recipe, _begun(run, recipe, plan.dataset)):
                    return None
            except (
                UserError
            ) as error:  # the others can still be trained; the next call tries this one again
                reason = str(error)
                print(f"Failed: {reason}")
            # The graph of a step, its model and the images refer to one another: free them before
            # the next. TensorFlow itself keeps some of what it compiled, 0.1 GB for a small DAN; a
            # comparison that is called again starts without that.
            gc.collect()
        results.append(summarize_run(name, recipe, run, reason))
    return results


def _begun(run, recipe, dataset):
    return run if run.exists else type(run).create(run.path, recipe, dataset)


def run(folder: Path, plan: Plan, manifest) -> int:
    """Train, measure, show and write everything.

    Returns the exit code: 1 when a training failed, 130 when it was stopped.
    """
    import_tensorflow()
    from ferkit.comparison.speed import measure_speed
    from ferkit.comparison.table import write_comparison
    from ferkit.models.multiply_adds import multiply_adds
    from ferkit.training.build_model import new_model, training_splits
    from ferkit.training.trainer import Trainer

    # Every model is built before the first is trained: one that cannot be built must not show up
    # after hours.
    models = {
        name: new_model(recipe, manifest, first_weights=False)
        for name, recipe in plan.contestants.items()
    }
    kept = {name: merged(model) for name, model in models.items()}
    costs = {
        name: {"parameters": model.count_params(), "multiply_adds": multiply_adds(model)}
        for name, model in kept.items()
    }
    del models, kept
    write_plan(folder, plan)
    splits = {}

    def fit(recipe, run):
        model = new_model(recipe, manifest, first_weights=not run.checkpoints.files())
        if model.input_shape not in splits:
            splits[model.input_shape] = training_splits(manifest, model)
        with run.lock():  # before it takes away drafts: they may be another process's
            run.prepare_resume(recipe)
            return Trainer(model, recipe, *splits[model.input_shape], run).fit()

    try:
        results = train_all(folder, plan, fit)
        if results is None:
            return 130
        splits.clear()
        print("\nMeasuring speed ...", flush=True)
        models = {
            name: new_model(recipe, manifest, first_weights=False)
            for name, recipe in plan.contestants.items()
        }
        for name, speeds in measure_speed(models, plan.contestants).items():
            costs[name] |= speeds
    except KeyboardInterrupt:  # between the trainings, which stop in their own way
        return 130
    write_comparison(folder, plan, results, costs)
    return 1 if any(result["status"] == "failed" for result in results) else 0
