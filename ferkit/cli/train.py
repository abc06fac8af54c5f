"""What each command does, in the order it does it. The work itself lies in the modules named here."""

import argparse
import shlex
import time
from pathlib import Path

from ferkit.cli.choosing import set_up_if_needed, set_up_images
from ferkit.cli.recipe_flags import recipe_from_options, recipe_overrides
from ferkit.errors import UserError
from ferkit.input_pipeline.fingerprint import fingerprint_of
from ferkit.models.registry import MODELS, model_entry
from ferkit.recipes.fit_checks import check_batch_fits, check_devices_fit
from ferkit.recipes.named import named_recipe
from ferkit.tensorflow_runtime import import_tensorflow
from ferkit.training.resume import check_same_dataset, resumed_run, same_on_all_workers


def setup(options: argparse.Namespace) -> int:
    """Dataset on disk."""
    from generate_data.setup_fer2013 import format_summary, set_up

    seed = getattr(options, "seed", 0)
    if options.sample:
        from generate_data.samples.sample_csv import write_sample

        if options.source:
            raise UserError("--sample draws its own faces: drop --source, or drop --sample.")
        if options.dataset not in (None, "fer2013"):
            raise UserError(
                f"--dataset {options.dataset}: --sample draws FER2013-like faces; drop one of the two."
            )
        print(
            f"Drew {options.sample_count:,} sample faces: {write_sample(options.data, options.sample_count, seed)}"
        )
    if options.dataset in (None, "fer2013"):
        summary = set_up(
            options.data,
            source=options.source,
            seed=seed,
            skip_bad_rows=options.skip_bad_rows,
            ferplus=options.ferplus,
        )
        print(format_summary(summary))
    else:
        set_up_images(options, seed)
    return 0


def train(options: argparse.Namespace) -> int:
    """Train, or go on training, then measure the best epoch on the validation split."""
    given = recipe_overrides(options)
    run, recipe = resumed_run(options, given) if options.resume else (None, None)
    if run is None:
        recipe_from_options(
            options, given, options.dataset
        )  # a wrong value is told before a long set-up

    from generate_data.manifest import read_manifest

    set_up_if_needed(options)
    manifest = read_manifest(options.data)
    recipe = recipe or recipe_from_options(options, given, manifest.description.get("dataset"))
    fingerprint = fingerprint_of(manifest)
    if run:
        check_same_dataset(run, fingerprint)
        if options.strategy != "multiworker" and run.finished(recipe):
            return _already_finished(run)
    check_batch_fits(recipe, manifest)

    from ferkit.training.devices import open_devices

    devices = open_devices(options.strategy, options.devices)
    recipe = same_on_all_workers(devices, recipe, fingerprint)
    check_devices_fit(recipe, devices)
    return _train(options, devices, recipe, manifest, fingerprint, run)


def _train(options, devices, recipe, manifest, fingerprint, run):
    from ferkit.training.build_model import new_model, training_splits
    from ferkit.training.run_folder import RunFolder
    from ferkit.training.trainer import Trainer

    model = new_model(recipe, manifest, run is None or not run.checkpoints.files(), devices)
    train_split, val_split = training_splits(manifest, model)
    if not devices.chief:
        return 0 if Trainer(model, recipe, train_split, val_split, None, devices).fit() else 130
    run = run or RunFolder.create(getattr(options, "run", None), recipe, fingerprint)
    with run.in_use():
        run.prepare_resume(recipe)
        _announce(recipe, train_split, val_split, model, run, devices)
        log = _tensorboard_log(run, recipe, model, val_split) if options.tensorboard else None
        trainer = Trainer(
            model, recipe, train_split, val_split, run, devices, options.checkpoint_seconds, log
        )
        if not trainer.fit():
            print(f"Stopped; nothing is lost. Go on with: {_resume_words(run, options)}")
            return 130
        return _report_best(run, val_split)


def _tensorboard_log(run, recipe, model, val_split):
    from ferkit.reporting.tensorboard import TensorBoardLog

    pictures_every = max(1, recipe.epochs // 50)
    return TensorBoardLog(
        run.path / "tensorboard",
        model,
        val_split.class_names,
        _some_faces(model, val_split),
        pictures_every,
    )


def _some_faces(model, split):
    """The first 16 images of a split as the model takes them, uint8."""
    from ferkit.input_pipeline.fit_images import resize_to_input

    return resize_to_input(split.images[:16], model.input_shape[1:]).numpy().round().astype("uint8")


def _already_finished(run):
    history = run.history()
    best = run.best_epoch(history)
    print(
        f"{run.path}: finished already, {len(history)} epochs, the best {best['epoch']} with validation accuracy "
        f"{float(best['val_accuracy']):.2%}. Report: {run.report / 'index.html'}. To go on, give more --epochs."
    )
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Measure a saved model on a split."""
    from ferkit.models.saved_model import load_model
    from ferkit.training.run_folder import RunFolder
    from generate_data.manifest import read_manifest

    if options.batch_size is not None and options.batch_size < 1:
        raise UserError(
            f"--batch_size {options.batch_size}: out of range; give a number at least 1."
        )
    manifest = read_manifest(options.data)
    path = _chosen(options)
    import_tensorflow()
    from ferkit.evaluation.evaluate import as_text, split_logits, write_json, write_submission
    from ferkit.evaluation.evaluate import evaluate as measure_split
    from ferkit.input_pipeline.dataset import load_split
    from ferkit.reporting.html_report import write_report

    model = load_model(path, options.model, manifest.class_names)
    name = options.split or ("unlabelled" if options.submission else "val")
    split = load_split(options.data, name, manifest, *model.input_shape[2:])
    print(f"{path} on {options.data}")
    if options.weights and (
        name == "train" or (name == "val" and manifest.description["val_from"] == "train")
    ):
        print(
            f"Note: {options.weights} was trained on the images that FER2013 calls Training, and these are some of them."
        )
    if options.submission:
        write_submission(
            options.submission, split, split_logits(model, split, options.tta, options.batch_size)
        )
        print(f"{len(split):,} predictions: {options.submission}")
        if (split.labels < 0).any() and not (options.json or options.report):
            return 0
    figures, probabilities = measure_split(model, split, options.tta, options.batch_size)
    print(as_text(figures))
    if options.json:
        write_json(options.json, {"checkpoint": str(path), "data": str(options.data), **figures})
    if options.report:
        history = RunFolder(path.parent).history()
        page = write_report(
            options.report, figures, probabilities, split.labels, history, _about(path)
        )
        print(f"Report: {page}")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Check the installation, and a saved model or a new one of each kind."""
    from ferkit.models.saved_model import load_model

    path = _chosen(options) if options.checkpoint or options.run or options.weights else None
    import_tensorflow()
    from ferkit.verification import check_installation, check_model

    failures = check_installation()
    if path:
        failures += check_model(load_model(path, options.model), str(path))
        print(f"{failures} failed." if failures else "All good.")
        return 1 if failures else 0
    for name in [options.model] if options.model else MODELS:
        for title, made in _new_models(name):
            failures += check_model(made, f"{name}, recipe {title}")
    print(f"{failures} failed." if failures else "All good.")
    return 1 if failures else 0


def _new_models(name):
    """A new model of each recipe, with the recipe's name; recipes that build the same model share one.

    They are small, so that all are checked in seconds: their weights are the same at any size.
    """
    titles = {}
    for title in model_entry(name).recipes.RECIPES:
        recipe = named_recipe(name, title)
        options = {
            "image_size": min(recipe.image_size, 64) or 48,
            "channels": recipe.channels or 1,
            **recipe.model_options,
        }
        titles.setdefault(repr(sorted(options.items())), (options, []))[1].append(title)
    for options, same in titles.values():
        yield " and ".join(same), model_entry(name).model_class(**options)


def compare(options: argparse.Namespace) -> int:
    """Train several contestants by one recipe, measure what they cost, and show all of it side by side."""
    from ferkit.comparison import runner
    from ferkit.comparison.contestants import choose_contestants
    from ferkit.comparison.plan import Plan, read_plan
    from generate_data.manifest import read_manifest

    folder = Path(options.folder or f"runs/compare-{time.strftime('%Y-%m-%d_%H-%M-%S')}")
    before = read_plan(folder)
    manifest = read_manifest(options.data)
    given = recipe_overrides(options)
    named = (
        options.backbones
        or options.ablate
        or options.models
        or hasattr(options, "model")
        or hasattr(options, "recipe")
    )
    if before and not named:
        contestants = {name: recipe.replace(**given) for name, recipe in before.contestants.items()}
    else:
        dataset = manifest.description.get("dataset")
        contestants = choose_contestants(
            options, lambda model: recipe_from_options(options, given, dataset, model)
        )
    seeds = options.seeds or (before.seeds if before else [0])
    plan = Plan(contestants, tuple(seeds), fingerprint_of(manifest))
    for recipe in contestants.values():
        check_batch_fits(recipe, manifest)
    code = runner.run(folder, plan, manifest)
    if code == 130:
        words = shlex.join(["compare", "--folder", str(folder), "-d", str(options.data)])
        print(f"Stopped; nothing is lost. Go on with: python main.py {words}")
    return code


def predict(options: argparse.Namespace) -> int:
    """Find faces in whatever was given, and name their expressions."""
    from ferkit.prediction.inputs import found_files

    given = [*options.files, *options.image]
    if bool(given) == (options.camera is not None):
        raise UserError(
            "predict: give photos, folders or videos, or --camera N; see: python main.py predict --help"
        )
    files = found_files(given)
    path = _weights_for_prediction(options)
    from ferkit.recognition.recognizer import Recognizer

    recognizer = Recognizer(
        path,
        options.detector,
        options.detector_model,
        options.margin,
        options.align,
        mirror=options.tta == "flip",
    )
    from ferkit.prediction.predict import Prediction
    from ferkit.prediction.rows import RowWriter

    with RowWriter(options.csv, options.json, recognizer.class_names) as rows:
        prediction = Prediction(
            recognizer, rows, options.annotate, options.smoothing, options.seconds
        )
        try:
            prediction.files(files)
            if options.camera is not None:
                prediction.video(options.camera)
        except KeyboardInterrupt:
            if options.camera is None:
                raise
    print(prediction.summary(path))
    return 1 if prediction.unreadable else 0


def explain(options: argparse.Namespace) -> int:
    """Show why the model says what it says: sheets for photos, or a gallery of a split with checks."""
    from ferkit.prediction.inputs import found_files

    given = [*options.files, *options.image]
    if bool(given) == bool(options.split):
        raise UserError(
            "explain: give photos, or --split NAME of a dataset; see: python main.py explain --help"
        )
    if options.per_class < 1:
        raise UserError(f"--per-class {options.per_class}: out of range; give a number at least 1.")
    files = found_files(given)
    if options.split:
        from generate_data.manifest import read_manifest

        manifest = read_manifest(options.data)
    path = _weights_for_prediction(options)
    if not options.split:
        from ferkit.recognition.recognizer import Recognizer

        recognizer = Recognizer(path, options.detector, options.detector_model)
        from ferkit.explanation.galleries import explain_photos

        return 1 if explain_photos(recognizer, files, options.to, options.class_name) else 0
    import_tensorflow()
    from ferkit.explanation.galleries import CHECKED_FACES, as_text, explain_split
    from ferkit.input_pipeline.dataset import load_split
    from ferkit.models.saved_model import load_model

    model = load_model(path, options.model, manifest.class_names)
    split = load_split(options.data, options.split, manifest, *model.input_shape[2:])
    figures = explain_split(model, split, options.to, options.per_class, options.class_name)
    print(as_text(figures, min(CHECKED_FACES, len(split))))
    return 0


def serve(options: argparse.Namespace) -> int:
    """A web page and a JSON API, until Ctrl-C."""
    from ferkit.serving.server import check_installed
    from ferkit.serving.server import serve as serve_until_stopped

    check_installed()
    path = _weights_for_prediction(options)

    def load():
        from ferkit.recognition.recognizer import Recognizer

        return Recognizer(path, options.detector, options.detector_model)

    serve_until_stopped(
        load,
        options.host,
        options.port,
        options.detector,
        options.detector_model,
        options.allow_host,
    )
    return 0


def _weights_for_prediction(options):
    """The model file to predict with: what the options name, else weights that ship, else the newest run's."""
    from ferkit.cli.which_model import find_checkpoint
    from ferkit.models.shipped_weights import default_weights, model_file

    if options.weights and options.run:
        raise UserError("--weights and --run: each names a model; give one of them.")
    if options.weights:
        return model_file(options.weights)
    return (None if options.run else default_weights(options.model)) or find_checkpoint(
        None, options.run, options.model
    )


def release(options: argparse.Namespace) -> int:
    """Calibrate a trained model, store it small, measure what was stored, and write its model card."""
    from generate_data.manifest import read_manifest

    if Path(options.name).name != options.name or options.name.startswith("."):
        raise UserError(
            f"--name {options.name}: not a file name; give a plain one, and the folder with --to."
        )
    manifest = read_manifest(options.data)
    path = _chosen(options)
    import_tensorflow()
    from ferkit.evaluation.evaluate import as_text
    from ferkit.release.release import release as write_release

    file, figures = write_release(
        path, options.data, options.name, options.to, manifest, options.half
    )
    print(as_text(figures["flip"]))
    first, second = figures["calibration_errors_held_out"]
    print(
        f"\nTemperature {figures['temperature']:.3f}; calibration error {figures['calibration_error_before']:.2%} before, "
        f"{first:.2%} ({second:.2%} mirror-averaged) on the half that it was not fitted on."
    )
    print(f"{file}: {figures['bytes']:,} bytes. Model card: {file.with_suffix('.md')}")
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a model for another runtime, and compare it there with Keras."""
    from ferkit.export.formats import FORMATS, check_output, check_runtime

    wanted = FORMATS[options.format]
    check_output(options.output, wanted, options.force)
    check_runtime(wanted)
    path = _weights_for_prediction(options)
    import_tensorflow()
    from ferkit.export.export import as_text, export_model
    from ferkit.export.measuring import validation_split
    from ferkit.models.saved_model import load_model

    model = load_model(path, options.model)
    split, reason = validation_split(model, path, getattr(options, "data", None))
    print(as_text(export_model(model, path, wanted, options.output, split), wanted, reason))
    return 0


def runs(options: argparse.Namespace) -> int:
    """List the runs below a folder."""
    from ferkit.reporting.run_table import as_text, list_runs, write_runs_csv, write_runs_json

    rows = list_runs(options.folder, options.sort)
    print(as_text(rows))
    for path, write in ((options.csv, write_runs_csv), (options.json, write_runs_json)):
        if path:
            write(path, rows)
            print(f"Written: {path}")
    return 0


def demo(options: argparse.Namespace) -> int:
    """Everything once, and a page that shows it."""
    named_recipe(
        "deep_emotion", "input_warp", epochs=options.epochs
    )  # a wrong number is told at once
    from ferkit.demo.run import run_demo

    return run_demo(options.folder, options.epochs)


# ---- helpers ----------------------------------------------------------------------------------------------------------


def _chosen(options):
    """The model file that the options name."""
    from ferkit.cli.which_model import find_checkpoint

    return find_checkpoint(options.checkpoint, options.run, options.model, options.weights)


def _announce(recipe, train_split, val_split, model, run, devices):
    from ferkit.models.interface import folded

    kept = folded(model).count_params()
    more = f" ({model.count_params():,} while it trains)" if model.count_params() != kept else ""
    print(
        f"{recipe.model}, recipe {recipe.name}: {kept:,} parameters{more}; {len(train_split):,} train and "
        f"{len(val_split):,} val images; {recipe.epochs} epochs, batch {recipe.batch_size}, {recipe.optimizer} at "
        f"{recipe.learning_rate:g}, seed {recipe.seed}"
    )
    print(f"Run folder: {run.path}")
    if devices.replicas > 1:
        workers = f" of {devices.workers} machines" if devices.workers > 1 else ""
        print(f"Every batch is shared by {devices.replicas} devices{workers}.")
    if recipe.epochs * len(train_split) > 500_000 or recipe.image_size > 100:
        print(
            f"{recipe.epochs} epochs take hours on a CPU; the remaining time is shown after each. Stop whenever you like: Ctrl-C "
            "saves, and --resume goes on."
        )


def _resume_words(run, options):
    from ferkit.cli.which_model import resume_command

    return resume_command(run) + ("" if options.data == "data" else f" -d {options.data}")


def _report_best(run, val_split):
    """Evaluate best.keras on the validation split, print it, and write the run's report."""
    from ferkit.evaluation.evaluate import as_text
    from ferkit.evaluation.evaluate import evaluate as measure_split
    from ferkit.models.saved_model import load_model
    from ferkit.reporting.html_report import training_sections, write_report
    from ferkit.reporting.model_views import model_pictures

    model = load_model(run.best)
    figures, probabilities = measure_split(model, val_split)
    history = run.history()
    best = run.best_epoch(history)
    print(f"\nFinished. Best epoch: {best['epoch']} of {len(history)}, kept as {run.best}")
    print(as_text(figures))
    faces = _some_faces(model, val_split)
    pictures = {
        f"What the model looks at: {name}": grid
        for name, grid in model_pictures(model, faces).items()
    }
    about, training = _about(run.best), training_sections(run.record(), model)
    page = write_report(
        run.report, figures, probabilities, val_split.labels, history, about, training, pictures
    )
    print(f"Report: {page}")
    return 0


def _about(path):
    """What made a checkpoint, for its report."""
    from ferkit.provenance import provenance
    from ferkit.training.run_folder import RunFolder

    run = RunFolder(path.parent)
    about = {
        "checkpoint": str(path),
        "report by": provenance()["command"],
        "at commit": provenance()["commit"],
    }
    if run.recipe_file.exists():
        record = run.record()
        recipe, made = record["recipe"], record["made_with"]
        about |= {
            "trained by": made["command"],
            "trained at commit": made["commit"],
            "seed": recipe["seed"],
        }
        about |= {"recipe": f"{recipe['model']}, {recipe['name']}", "packages": made["packages"]}
    return {key: str(value) for key, value in about.items()}
