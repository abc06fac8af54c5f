"""From what stands on the command line to a recipe, a run to go on with, and a dataset that fits it."""

from pathlib import Path

from ferkit.errors import UserError

# ---- datasets of image files ----------------------------------------------------------------------------------------


_SOURCE_FLAGS = {
    "affectnet": "aff_path",
    "rafdb": "raf_path",
}  # beside --source, which any dataset takes


def set_up_images(options, seed=0):
    """AffectNet, RAF-DB or a tree of class folders: images that stay where they are."""
    from generate_data.setup_image_folders import format_image_summary, set_up_image_dataset

    if getattr(options, "sample", False) or getattr(options, "ferplus", None):
        raise UserError(
            f"--dataset {options.dataset}: takes neither --sample nor --ferplus; drop them."
        )
    source = _image_source(options)
    if not source:
        flag = _SOURCE_FLAGS.get(options.dataset, "source")
        raise UserError(
            f"--dataset {options.dataset}: no set-up in {options.data} yet; name the folder to read with --{flag} DIR."
        )
    summary = set_up_image_dataset(
        options.data,
        options.dataset,
        source,
        classes=options.classes,
        seed=seed,
        skip_bad_rows=options.skip_bad_rows,
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
        same_source = (
            not source
            or Path(source).expanduser().resolve() == Path(about.get("source", "")).resolve()
        )
        same_classes = options.classes in (None, len(about["class_names"]))
        if about.get("dataset") == options.dataset and same_source and same_classes:
            return
    set_up_images(options)
