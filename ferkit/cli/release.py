"""`release`: stores a trained model as one small, calibrated file with its model card."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import generate_data
from ferkit.cli.arguments import add_boolean, add_corruptions, add_data, check_positive
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.errors import UserError
from ferkit.hub.models import check_upload
from ferkit.release.push import FLAG, push_release
from ferkit.release.release_files import check_release_files, is_released
from ferkit.tensorflow_runtime import import_tensorflow
from model_presets.hubs import FORMS

EXAMPLES = """\
examples:
  python main.py release -d data --run runs/mine --name mine
      released/mine.keras, mine.tflite (compiled), mine.md (model card) and mine.json (figures)
  python main.py release -d data --weights best.keras --name mine --half False
  python main.py evaluate -d data --weights released/mine.keras
  python main.py release -d data --run runs/mine --name mine --push hf://OWNER/mine
      also uploads it, with your token; then use it with --weights hf://OWNER/mine

The model is calibrated on the validation split by temperature scaling, which is folded into its
last layer, and stored in half precision.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `release`.

    Attributes:
        data: folder of the dataset.
        name: name of the files, without an ending.
        to: folder for the files.
        half: store kernels as float16.
        compiled: also write the compiled file.
        compile_only: write only the compiled file of a release.
        force: replace files that are not part of an earlier release.
        corruptions: images to measure with corruptions, for the card; None: none.
        push: address on a hub to upload the release to; None: nowhere.
    """

    data: str
    name: str | None
    to: str
    half: bool
    compiled: bool
    compile_only: bool
    force: bool
    corruptions: int | None
    push: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `release`."""
    add_data(parser)
    add_model_choice(parser, default="newest run")
    parser.add_argument(
        "--name",
        default=None,
        metavar="NAME",
        help="name of the files: NAME.keras, NAME.tflite, NAME.md and NAME.json",
    )
    parser.add_argument(
        "--to",
        default="released",
        metavar="DIR",
        help="folder for the files (default: released)",
    )
    add_boolean(
        parser, "--half", default=True, help_text="store kernels as float16 (default: True)"
    )
    add_boolean(
        parser,
        "--compiled",
        default=True,
        help_text="also write NAME.tflite, which predicts without TensorFlow (default: True)",
    )
    add_boolean(
        parser,
        "--compile-only",
        help_text="write only the compiled file of a release, given with --weights; with "
        "--corruptions, also the section Robustness of its card",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace files of these names that are not part of an earlier release",
    )
    add_corruptions(parser)
    parser.add_argument(
        FLAG,
        default=None,
        metavar="ADDRESS",
        help="also upload weights, card, figures and compiled file, with your token: "
        f"{' or '.join(FORMS.values())}",
    )


def run(options: Options) -> int:
    """Calibrate, store and measure the model, and write its card; returns the exit code."""
    check_positive("--corruptions", options.corruptions)
    if not options.compile_only:
        _check_name(options.name)
    manifest = generate_data.read_manifest(options.data)
    path = resolve(options, default="newest run")
    _check_files(options, path)
    if options.push:
        check_upload(options.push, FLAG)
    import_tensorflow()
    from ferkit.release import release  # late: TensorFlow

    if options.compile_only:
        figures = release.compile_release(path, options.data, manifest, options.corruptions)
        print(_format_compiled(path, figures))
        _push(options, path)
        return 0
    file, figures = release.release(
        path,
        options.data,
        str(options.name),
        options.to,
        manifest,
        options.half,
        options.compiled,
        options.corruptions,
    )
    print(release.format_evaluation(figures["flip"]))
    print(f"\n{_format_calibration(figures, release.MIN_IMAGES)}")
    print(f"{file}: {figures['bytes']:,} bytes. Model card: {file.with_suffix('.md')}")
    if "compiled" in figures:
        print(_format_compiled(file, figures))
    _push(options, file)
    return 0


def _push(options: Options, file: Path) -> None:
    if options.push:
        names = ", ".join(push_release(file, options.push))
        print(f"{options.push}: uploaded {names}. Use it with --weights {options.push}")


def _check_name(name: str | None) -> None:
    if name is None:
        raise UserError("release", "needs a name for its files", "add --name NAME")
    if Path(name).name != name or name.startswith("."):
        advice = "give a plain name, and the folder as --to"
        raise UserError(f"--name {name}", "not a file name", advice)


def _format_calibration(figures: dict[str, Any], least: int) -> str:
    if figures["calibration_errors_held_out"] is None:
        return (
            f"No temperature was fitted: the split has only {figures['calibration_images']:,} "
            f"images that the model has not learned, and at least {least} are needed."
        )
    held_out, held_out_flip = figures["calibration_errors_held_out"]
    return (
        f"Temperature {figures['temperature']:.3f}; calibration error "
        f"{figures['calibration_error_before']:.2%} before, {held_out:.2%} "
        f"({held_out_flip:.2%} with mirror averaging) on the held-out half of the split."
    )


def _check_files(options: Options, path: Path) -> None:
    if not options.compile_only:
        compiled = options.compiled
        check_release_files(options.to, str(options.name), path, compiled, options.force)
        return
    target = path.with_suffix(".tflite")
    if target.exists() and not options.force and not is_released(target):
        problem = f"exists and is not the compiled file of {path.name}"
        raise UserError(target, problem, "add --force to replace it, or move it away")


def _format_compiled(file: Path, figures: dict[str, Any]) -> str:
    compiled = figures["compiled"]
    return (
        f"{file.with_name(compiled['file'])}: {compiled['bytes']:,} bytes, kernels in "
        f"{compiled['kernels']}; accuracy {compiled['accuracy']:.2%}, Keras "
        f"{compiled['accuracy_keras']:.2%}; calibration error "
        f"{compiled['expected_calibration_error']:.2%}, Keras "
        f"{compiled['expected_calibration_error_keras']:.2%}; the same label on "
        f"{compiled['same_label']:.2%} of {compiled['count']:,} images"
    )
