"""`demo`: a full tour of the project on drawn sample faces, shown on a page."""

import argparse
import dataclasses

import ferkit.cli  # for `main`, used when the demo runs: this package imports this module
from ferkit.demo import MODEL, RECIPE
from ferkit.recipes.named import named_recipe
from ferkit.tensorflow_runtime import import_tensorflow

EXAMPLES = """\
examples:
  python main.py demo
      set up, train, evaluate, explain, predict, export and verify
  python main.py demo --epochs 20 --folder /tmp/demo

Nothing is downloaded. FOLDER/index.html shows each step with its picture, and the command for your
own data.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the user gave to `demo`.

    Attributes:
        folder: folder for all results.
        epochs: epochs of training.
    """

    folder: str
    epochs: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `demo`."""
    parser.add_argument(
        "--folder",
        default="data/demo",
        metavar="DIR",
        help="folder for all results (default: data/demo)",
    )
    parser.add_argument(
        "--epochs", type=int, default=8, metavar="N", help="epochs of training (default: 8)"
    )


def run(options: Options) -> int:
    """Run every step and write the page; returns the exit code of the first step that failed."""
    named_recipe(MODEL, RECIPE, epochs=options.epochs)  # report a wrong number first
    import_tensorflow()
    from ferkit.demo.run import run_demo  # late: NumPy and Matplotlib

    return run_demo(options.folder, options.epochs, ferkit.cli.main)
