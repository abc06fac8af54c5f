"""From what stands on the command line to a recipe, a run to go on with, and a dataset that fits it."""

import dataclasses
import hashlib
import json
from pathlib import Path

from .errors import UserError
from .recipe import Recipe, named_recipe, read_recipe
from .registry import DEFAULT_MODEL, MODELS, model_entry


def given_recipe_values(options):
    """The recipe fields and model options that stand on the command line."""
    names = {field.name for field in dataclasses.fields(Recipe) if field.metadata}
    names |= {name for entry in MODELS.values() for name in entry.recipes.OPTIONS}
    return {name: value for name, value in vars(options).items() if name in names}


def new_recipe(options, given, dataset=None, model=None):
    """The recipe named, that of a file, or the model's own for this kind of dataset."""
    name = getattr(options, "recipe", None)
    asked = model or getattr(options, "model", None)
    if name and name.endswith(".json"):
        recipe = read_recipe(name)
        if asked not in (None, recipe.model):
            raise UserError(f"{name}: a recipe of model {recipe.model}, and --model {asked} was given; drop one of the two.")
        return recipe.replace(**given)
    asked = asked or DEFAULT_MODEL
    return named_recipe(asked, name or getattr(model_entry(asked).recipes, "FOR_DATASET", {}).get(dataset), **given)


def resumed_run(options, given):
    """The run to go on with, and its recipe; only --epochs and --early_stopping may differ. None, None: there is no run yet.

    Raises:
        UserError: what was given does not fit the run.
    """
    from .run_folder import RunFolder

    model, path = getattr(options, "model", None), getattr(options, "run", None)
    run = RunFolder(path) if path else RunFolder.newest(model, or_none=True)
    if run is None or not run.begun:
        print("Nothing to resume yet: a new run.")
        return None, None
    recipe = run.recipe()
    if model and model != recipe.model:
        raise UserError(f"{run.path}: a run of model {recipe.model}, and --model {model} was given; drop one of the two.")
    name = getattr(options, "recipe", recipe.name)
    if name != recipe.name and not name.endswith(".json"):
        raise UserError(f"{run.path}: a run of recipe {recipe.name}, and --recipe {name} was given; start a new run.")
    for key, value in given.items():
        old = recipe.model_options.get(key, getattr(recipe, key, None))
        if key not in ("epochs", "early_stopping") and value != old:
            raise UserError(f"{run.path}: runs with --{key} {old}, and {value} was given; a resumed run keeps its recipe.")
    if given.get("epochs", recipe.epochs) != recipe.epochs:
        stretched = recipe.schedule == "cosine"
        note = " The cosine schedule stretches to the new length." if stretched else ""
        print(f"Epochs: {given['epochs']} instead of the {recipe.epochs} this run was started with.{note}")
    lengths = {key: given[key] for key in ("epochs", "early_stopping") if key in given}
    return run, recipe.replace(**lengths)


def fingerprint_of(manifest):
    """What tells this dataset from another: which rows it has, with which labels, in which splits.

    Not where the images lie, nor what is marked as a copy: a newer set-up may write those differently.
    """
    columns = manifest.table[["split", "label", "source", "source_row"]]
    digest = hashlib.sha256(columns.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    rows = {str(split): int(count) for split, count in manifest.table["split"].value_counts().items()}
    return {"folder": str(manifest.folder), "rows_sha256": digest, "rows": rows, "classes": list(manifest.class_names)}


def check_same_dataset(run, fingerprint):
    """Raises UserError, naming both, when a run was started on other rows or classes."""
    before = run.record()["dataset"]
    if before["rows_sha256"] != fingerprint["rows_sha256"]:
        raise UserError(
            f"{fingerprint['folder']}: {_in_words(fingerprint)}; not the dataset that {run.path} was started on, then in "
            f"{before['folder']}: {_in_words(before)}. Give that one with -d, or start a new run."
        )


def _in_words(fingerprint):
    rows = ", ".join(f"{count:,} {split}" for split, count in fingerprint["rows"].items())
    classes = fingerprint.get("classes")
    return f"{rows} rows" + (f" of {len(classes)} classes" if classes else "")


def same_on_all_workers(devices, recipe, fingerprint):
    """The chief's recipe: its run folder has it, others may have none.

    Raises:
        UserError: this worker's dataset is not the chief's.
    """
    if devices.workers == 1:
        return recipe
    theirs = json.loads(devices.text_from_chief(json.dumps({"recipe": recipe.to_json(), "dataset": fingerprint})))
    if theirs["dataset"]["rows_sha256"] != fingerprint["rows_sha256"]:
        raise UserError(
            f"{fingerprint['folder']}: {_in_words(fingerprint)}; not the dataset of the first worker, "
            f"{_in_words(theirs['dataset'])}. Every worker needs the same dataset, set up alike."
        )
    return Recipe.from_dict(json.loads(theirs["recipe"]))


def check_devices_fit(recipe, devices):
    """Raises UserError when a recipe cannot run on so many devices."""
    fewest = devices.replicas * recipe.accumulate
    if recipe.batch_size < fewest:
        raise UserError(
            f"--batch_size {recipe.batch_size}: fewer than one image for each of {devices.replicas} devices in "
            f"{recipe.accumulate} parts; give at least {fewest}."
        )
    if recipe.precision == "float16" and devices.replicas > 1:
        raise UserError("--precision float16: its loss scale works on one device only; take bfloat16 on several.")


def check_batch_fits(recipe, manifest):
    rows = len(manifest.split("train"))
    if recipe.batch_size > rows:
        raise UserError(f"--batch_size {recipe.batch_size}: larger than the dataset's {rows:,} train rows; give at most {rows}.")


# ---- datasets of image files ----------------------------------------------------------------------------------------


_SOURCE_FLAGS = {"affectnet": "aff_path", "rafdb": "raf_path"}  # beside --source, which any dataset takes


def set_up_images(options, seed=0):
    """AffectNet, RAF-DB or a tree of class folders: images that stay where they are."""
    from generate_data.image_datasets import format_image_summary, set_up_image_dataset

    if getattr(options, "sample", False) or getattr(options, "ferplus", None):
        raise UserError(f"--dataset {options.dataset}: takes neither --sample nor --ferplus; drop them.")
    source = _image_source(options)
    if not source:
        flag = _SOURCE_FLAGS.get(options.dataset, "source")
        raise UserError(
            f"--dataset {options.dataset}: no set-up in {options.data} yet; name the folder to read with --{flag} DIR."
        )
    summary = set_up_image_dataset(
        options.data, options.dataset, source, classes=options.classes, seed=seed, skip_bad_rows=options.skip_bad_rows
    )
    print(format_image_summary(summary))


def _image_source(options):
    return getattr(options, _SOURCE_FLAGS.get(options.dataset, "source")) or options.source


def set_up_if_needed(options):
    """Before training on another dataset than FER2013: set it up, unless that has been done from the same folder."""
    if options.dataset in (None, "fer2013"):
        return
    from generate_data.manifest import MANIFEST, read_manifest

    if (Path(options.data) / MANIFEST).exists():
        about = read_manifest(options.data).description
        source = _image_source(options)
        same_source = not source or Path(source).expanduser().resolve() == Path(about.get("source", "")).resolve()
        same_classes = options.classes in (None, len(about["class_names"]))
        if about.get("dataset") == options.dataset and same_source and same_classes:
            return
    set_up_images(options)
