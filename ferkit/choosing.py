"""From what stands on the command line to a recipe, a run to go on with, and a dataset that fits it."""

import dataclasses
import hashlib
from pathlib import Path

from .errors import UserError
from .recipe import Recipe, named_recipe
from .registry import DEFAULT_MODEL, MODELS, model_entry


def given_recipe_values(options):
    """The recipe fields and model options that stand on the command line."""
    names = {field.name for field in dataclasses.fields(Recipe) if field.metadata}
    names |= {name for entry in MODELS.values() for name in entry.recipes.OPTIONS}
    return {name: value for name, value in vars(options).items() if name in names}


def new_recipe(options, given, dataset=None, model=None):
    """The recipe named, or the model's own for this kind of dataset."""
    model = model or getattr(options, "model", DEFAULT_MODEL)
    own = getattr(model_entry(model).recipes, "FOR_DATASET", {}).get(dataset)
    return named_recipe(model, getattr(options, "recipe", own), **given)


def resumed_run(options, given):
    """The run to go on with, and its recipe; only --epochs may differ."""
    from .run_folder import RunFolder

    model = getattr(options, "model", None)
    path = getattr(options, "run", None)
    run = RunFolder.existing(path) if path else RunFolder.newest(model)
    recipe = run.recipe()
    if model and model != recipe.model:
        raise UserError(f"{run.path}: a run of model {recipe.model}, and --model {model} was given; drop one of the two.")
    if getattr(options, "recipe", recipe.name) != recipe.name:
        raise UserError(f"{run.path}: a run of recipe {recipe.name}, and --recipe {options.recipe} was given; start a new run.")
    for name, value in given.items():
        old = recipe.model_options.get(name, getattr(recipe, name, None))
        if name != "epochs" and value != old:
            raise UserError(f"{run.path}: runs with --{name} {old}, and {value} was given; a resumed run keeps its recipe.")
    if "epochs" in given and given["epochs"] != recipe.epochs:
        note = "" if recipe.schedule == "constant" else f" The {recipe.schedule} schedule stretches to the new length."
        print(f"Epochs: {given['epochs']} instead of the {recipe.epochs} this run was started with.{note}")
        recipe = recipe.replace(epochs=given["epochs"])
    return run, recipe


def fingerprint_of(manifest):
    """What tells this dataset from another: which rows it has, with which labels, in which splits.

    Not where the images lie, nor what is marked as a copy: a newer set-up may write those differently.
    """
    columns = manifest.table[["split", "label", "source", "source_row"]]
    digest = hashlib.sha256(columns.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    rows = {str(split): int(count) for split, count in manifest.table["split"].value_counts().items()}
    return {"folder": str(manifest.folder), "rows_sha256": digest, "rows": rows}


def check_same_dataset(run, fingerprint):
    before = run.record()["dataset"]
    if before["rows_sha256"] != fingerprint["rows_sha256"]:
        raise UserError(
            f"{fingerprint['folder']}: not the dataset that {run.path} was started on ({before['folder']} as it was then); "
            "give that one with -d, or start a new run."
        )


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
