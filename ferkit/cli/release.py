"""`release`: stores a trained model as one small, calibrated file with its model card."""

import argparse
import dataclasses
from pathlib import Path

import generate_data
from ferkit.cli.arguments import add_boolean, add_data
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.errors import UserError
from ferkit.tensorflow_runtime import import_tensorflow

EXAMPLES = """\
examples:
  python main.py release -d data --run runs/mine --name mine
      released/mine.keras, mine.md (model card) and mine.json (figures)
  python main.py release -d data --weights best.keras --name mine --half False
  python main.py evaluate -d data --weights released/mine.keras

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
    """

    data: str
    name: str
    to: str
    half: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `release`."""
    add_data(parser)
    add_model_choice(parser, default="newest run")
    parser.add_argument(
        "--name",
        required=True,
        metavar="NAME",
        help="name of the files: NAME.keras, NAME.md and NAME.json",
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


def run(options: Options) -> int:
    """Calibrate, store and measure the model, and write its card; returns the exit code."""
    if Path(options.name).name != options.name or options.name.startswith("."):
        raise UserError(
            f"--name {options.name}", "not a file name", "give a plain name, and the folder as --to"
        )
    manifest = generate_data.read_manifest(options.data)
    path = resolve(options, default="newest run")
    import_tensorflow()
    from ferkit.release import release  # late: TensorFlow

    file, figures = release.release(
        path, options.data, options.name, options.to, manifest, options.half
    )
    print(release.format_evaluation(figures["flip"]))
    held_out, held_out_flip = figures["calibration_errors_held_out"]
    print(
        f"\nTemperature {figures['temperature']:.3f}; calibration error "
        f"{figures['calibration_error_before']:.2%} before, {held_out:.2%} "
        f"({held_out_flip:.2%} with mirror averaging) on the held-out half of the split."
    )
    print(f"{file}: {figures['bytes']:,} bytes. Model card: {file.with_suffix('.md')}")
    return 0
