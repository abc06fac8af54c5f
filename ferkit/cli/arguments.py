"""The command line: parses and dispatches. Imports nothing heavy, so that --help answers at once."""

import argparse
import dataclasses
import sys

from ferkit.cli.help_texts import DESCRIPTION, EXAMPLES, SHORT_FORM, SUMMARIES
from ferkit.errors import UserError, nearest
from ferkit.export.formats import FORMATS
from ferkit.models.registry import DEFAULT_MODEL, MODELS
from ferkit.models.shipped_weights import shipped_weights
from ferkit.recipes.recipe import RENAMED_FIELDS, Recipe
from generate_data.errors import DataError
from generate_data.labels import DATASETS

STRATEGIES = ("one", "mirrored", "multiworker")
DETECTORS = ("auto", "yunet", "none")
TTA = ("none", "flip", "ten-crop")

GIVEN_ONLY = argparse.SUPPRESS  # an argument that was not given leaves no trace


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 1 a check failed, 2 the user can fix it, 130 stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _dispatch(arguments)
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _dispatch(arguments):
    if arguments and arguments[0] in SUMMARIES:
        options = _with_data(_command_parser().parse_args(arguments))
        return _run(options.command, options)
    options = _with_data(_short_parser().parse_args(arguments))
    if not (options.setup or options.train):
        if arguments:
            raise UserError(
                "nothing to do: add -s True to set up, -t True to train, or name a command first."
            )
        _short_parser().print_help()
        return 0
    for command in ("setup", "train"):
        if getattr(options, command):
            code = _run(command, options)
            if code:
                return code
    return 0


def _with_data(options):
    """Fill in the dataset and its folder where they were not given: FER2013 in data, others in a folder of their own."""
    if hasattr(options, "dataset") and options.dataset is None:
        options.dataset = "affectnet" if options.aff_path else "rafdb" if options.raf_path else None
    if getattr(options, "data", "") is None:
        kind = getattr(options, "dataset", None) or "fer2013"
        options.data = "data" if kind == "fer2013" else f"data/{kind}"
    return options


def _run(command, options):
    from ferkit.cli import commands

    return getattr(commands, command)(options)


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message):
        problem, _, words = message.partition(": ")
        hint = ""
        if problem == "unrecognized arguments":
            unknown = words.split()[0].split("=")[0]
            hint = nearest(
                unknown, self._option_string_actions if unknown.startswith("-") else SUMMARIES
            )
        raise UserError(f"{message}{hint}. See: {self.prog} --help")

    def parse_args(self, args=None, namespace=None):
        """What is left over is told by the command that it was given to, which knows its own flags; argparse asks the program."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            commands = next(
                (action.choices for action in self._actions if isinstance(action.choices, dict)), {}
            )
            commands.get(getattr(options, "command", None), self).error(
                f"unrecognized arguments: {' '.join(unknown)}"
            )
        return options


def _command_parser():
    parser = _Parser(
        prog="python main.py", description=DESCRIPTION, epilog=SHORT_FORM, formatter_class=_Help
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    add = {
        "setup": _add_setup,
        "train": _add_train,
        "evaluate": _add_evaluate,
        "verify": _add_verify,
        "compare": _add_compare,
        "release": _add_release,
        "export": _add_export,
        "predict": _add_predict,
        "explain": _add_explain,
        "serve": _add_serve,
        "runs": _add_runs,
        "demo": _add_demo,
    }
    for name, summary in SUMMARIES.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=EXAMPLES[name],
            formatter_class=_Help,
            allow_abbrev=False,
        )
        if name in ("setup", "train", "evaluate", "compare", "release"):
            _add_data(command)
        if name in ("setup", "train"):
            _add_dataset(command)
        add[name](command)
    return parser


def _short_parser():
    """The short form: -s and -t as flags with a value, and every option of setup and train."""
    commands = "\n".join(f"  {name:<12}{summary}" for name, summary in SUMMARIES.items())
    parser = _Parser(
        prog="python main.py",
        description=DESCRIPTION,
        epilog=f"commands:\n{commands}\n\n{SHORT_FORM}",
        formatter_class=_Help,
        usage="python main.py COMMAND [options]\n       python main.py -s True | -t True [options]",
        allow_abbrev=False,
    )
    flag = {"type": boolean, "nargs": "?", "const": True, "default": False, "metavar": "True|False"}
    parser.add_argument("-s", "--setup", help="set the dataset up", **flag)
    parser.add_argument("-t", "--train", help="train a model", **flag)
    _add_data(parser)
    _add_dataset(parser)
    _add_setup(parser, with_seed=False)
    _add_train(parser)
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, max_help_position=32, width=110)


def boolean(text: str) -> bool:
    """True or False, and it means what it says.

    Raises:
        argparse.ArgumentTypeError: any other word.
    """
    if text.lower() in ("true", "yes", "1", "on"):
        return True
    if text.lower() in ("false", "no", "0", "off"):
        return False
    raise argparse.ArgumentTypeError(f"expected True or False, received {text!r}")


def _seconds(text):
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, received {text!r}")
    return seconds


def _add_data(parser):
    parser.add_argument(
        "-d",
        "--data",
        default=None,
        metavar="DIR",
        help="dataset folder (default: data; data/NAME with --dataset NAME)",
    )


def _add_dataset(parser):
    group = parser.add_argument_group("dataset")
    group.add_argument(
        "--dataset", choices=DATASETS, default=None, help="what the source is (default: fer2013)"
    )
    group.add_argument(
        "--aff_path",
        metavar="DIR",
        help="AffectNet's folder, only read: implies --dataset affectnet",
    )
    group.add_argument(
        "--raf_path", metavar="DIR", help="RAF-DB's folder, only read: implies --dataset rafdb"
    )
    group.add_argument(
        "--classes",
        type=int,
        default=None,
        metavar="N",
        help="AffectNet: 8, or 7 without contempt (default: 8)",
    )
    group.add_argument(
        "--source",
        metavar="PATH",
        help="file or folder to read, only read (default: the dataset folder)",
    )
    group.add_argument(
        "--skip-bad-rows",
        "--skip_bad_rows",
        action="store_true",
        help="drop unreadable rows and say how many",
    )


def _add_setup(parser, with_seed=True):
    group = parser.add_argument_group("setup")
    group.add_argument(
        "--ferplus", metavar="FILE", help="fer2013new.csv: add the ten FER+ votes to every row"
    )
    group.add_argument(
        "--sample", action="store_true", help="draw sample faces as a Kaggle CSV, then set that up"
    )
    group.add_argument(
        "--sample-count",
        "--sample_count",
        type=int,
        default=2100,
        metavar="N",
        help="how many (default: 2100)",
    )
    if with_seed:
        group.add_argument(
            "--seed",
            type=int,
            default=GIVEN_ONLY,
            help="decides the split and the drawn faces (default: 0)",
        )


def _add_train(parser):
    group = parser.add_argument_group("training")
    _add_model_and_recipe(group, DEFAULT_MODEL)
    group.add_argument(
        "--run",
        default=GIVEN_ONLY,
        metavar="DIR",
        help="run folder (default: runs/<date-time>-<model>)",
    )
    group.add_argument(
        "--resume", type=boolean, nargs="?", const=True, default=False,
        help="go on with --run, or the newest run; starts one where there is none",
    )  # fmt: skip
    group.add_argument(
        "--checkpoint_seconds",
        type=_seconds,
        default=60.0,
        metavar="X",
        help="a checkpoint at least so often (default: 60)",
    )
    group.add_argument(
        "--tensorboard", type=boolean, nargs="?", const=True, default=False, metavar="True|False",
        help="write curves, faces and what the model looks at to RUN/tensorboard",
    )  # fmt: skip
    strategies = "one device, several of this machine (mirrored), or several machines (multiworker, by TF_CONFIG)"
    group.add_argument(
        "--strategy", choices=STRATEGIES, default="one", help=f"{strategies}; default: one"
    )
    group.add_argument(
        "--devices",
        type=int,
        default=None,
        metavar="N",
        help="of --strategy mirrored (default: all GPUs)",
    )
    group.add_argument(
        "-hparams", "--hparams", "--hyperparams", type=boolean, nargs="?", const=True, default=False,
        help="accepted for the short form; values given apply with or without it",
    )  # fmt: skip
    _add_recipe_values(parser)


def _add_model_and_recipe(group, default_model):
    group.add_argument(
        "-m", "--model", choices=list(MODELS), default=GIVEN_ONLY, help=f"default: {default_model}"
    )
    group.add_argument(
        "--recipe", default=GIVEN_ONLY, metavar="NAME", help=f"a model's recipe: {_recipe_names()}"
    )


def _add_recipe_values(parser, leave_out=()):
    """A flag for every field of a recipe and every model option."""
    short = {"epochs": ["-e"], "learning_rate": ["-lr"], "batch_size": ["-bs"]}
    fields = parser.add_argument_group("hyperparameters (default: the recipe's)")
    for field in dataclasses.fields(Recipe):
        if field.metadata and field.name not in leave_out:
            kind = (
                {"type": boolean, "nargs": "?", "const": True}
                if field.type is bool
                else {"type": field.type}
            )
            older = [f"--{old}" for old, new in RENAMED_FIELDS.items() if new == field.name]
            names = [*short.get(field.name, []), f"--{field.name}", *older]
            _add_field(fields, names, kind, field.metadata)
    options = parser.add_argument_group("model options (default: the recipe's)")
    for name, (kind, choices, text) in _model_options().items():
        _add_field(options, [f"--{name}"], {"type": kind}, {"choices": choices, "help": text})


def _add_field(group, names, kind, metadata):
    metavar = (
        "True|False" if kind.get("nargs") else {int: "N", float: "X"}.get(kind["type"], "NAME")
    )
    shape = {"choices": metadata["choices"]} if metadata["choices"] else {"metavar": metavar}
    group.add_argument(*names, help=metadata["help"], default=GIVEN_ONLY, **kind, **shape)


def _model_options():
    return {
        name: option for entry in MODELS.values() for name, option in entry.recipes.OPTIONS.items()
    }


def _recipe_names():
    return "; ".join(
        f"{entry.name}: {', '.join(entry.recipes.RECIPES)}" for entry in MODELS.values()
    )


def _add_checkpoint(parser):
    parser.add_argument(
        "-m", "--model", choices=list(MODELS), default=None, help="the newest run of this model"
    )
    parser.add_argument(
        "--run",
        default=None,
        metavar="DIR",
        help="take best.keras of this run (default: the newest run)",
    )
    parser.add_argument("--checkpoint", default=None, metavar="FILE", help="take this .keras file")
    parser.add_argument(
        "--weights",
        default=None,
        metavar="NAME",
        help=f"take weights that ship: {', '.join(shipped_weights())}",
    )


def _add_evaluate(parser):
    _add_checkpoint(parser)
    parser.add_argument(
        "--split", default=None, help="train, val, test or unlabelled (default: val)"
    )
    views = "average over the image and its mirror image (flip), or over corners, centre and their mirror images (ten-crop)"
    parser.add_argument("--tta", choices=TTA, nargs="?", const="flip", default="none", help=views)
    parser.add_argument(
        "--json", default=None, metavar="FILE", help="write the figures as one JSON object"
    )
    parser.add_argument("--report", default=None, metavar="DIR", help="write a page with pictures")
    parser.add_argument(
        "--submission",
        default=None,
        metavar="FILE",
        help="write predictions as CSV (default split: unlabelled)",
    )
    parser.add_argument(
        "-bs",
        "--batch_size",
        type=int,
        default=None,
        metavar="N",
        help="images at once (default: 256, fewer if large)",
    )


def _add_verify(parser):
    _add_checkpoint(parser)


def _add_compare(parser):
    from ferkit.comparison.contestants import default_model

    group = parser.add_argument_group(
        "contestants (one of the first three, or the first two together)"
    )
    group.add_argument("--backbones", nargs="+", metavar="NAME", help="the model on each of these")
    group.add_argument(
        "--ablate",
        nargs="+",
        metavar="PART",
        help="the model as it is, without each of these parts, and bare",
    )
    known = ", ".join(MODELS)
    group.add_argument(
        "--models",
        nargs="+",
        choices=list(MODELS),
        metavar="NAME",
        help=f"models, each by its recipe: {known}",
    )
    _add_model_and_recipe(group, default_model())
    group.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=None,
        metavar="N",
        help="train everything with each (default: 0)",
    )
    folder = "new, or of a comparison to go on with (default: runs/compare-<date-time>)"
    group.add_argument("--folder", default=None, metavar="DIR", help=folder)
    _add_recipe_values(parser, leave_out=("seed",))


def _add_release(parser):
    _add_checkpoint(parser)
    parser.add_argument(
        "--name",
        required=True,
        metavar="NAME",
        help="of the files: NAME.keras, NAME.md and NAME.json",
    )
    parser.add_argument(
        "--to", default="released", metavar="DIR", help="where to write them (default: released)"
    )
    half = "store kernels in 16 bits (default: True)"
    parser.add_argument(
        "--half", type=boolean, nargs="?", const=True, default=True, metavar="True|False", help=half
    )


def _add_weights(parser, of_model="weights that ship for this model"):
    """Which trained model; see ``commands._weights_for_prediction``."""
    parser.add_argument("-m", "--model", choices=list(MODELS), default=None, help=of_model)
    parser.add_argument(
        "--weights",
        default=None,
        metavar="NAME",
        help=f"a file, or one of: {', '.join(shipped_weights())}",
    )
    parser.add_argument("--run", default=None, metavar="DIR", help="best.keras of this run")


def _add_detector(parser):
    parser.add_argument(
        "--detector",
        choices=DETECTORS,
        default="auto",
        help="none: photos are cropped faces (default: auto)",
    )
    parser.add_argument(
        "--detector-model",
        "--detector_model",
        default=None,
        metavar="FILE",
        help="another YuNet, .onnx",
    )


def _add_export(parser):
    parser.add_argument("--format", required=True, choices=list(FORMATS), help="what to write")
    parser.add_argument(
        "--output", required=True, metavar="PATH", help="the file, or the folder of a savedmodel"
    )
    parser.add_argument("--force", action="store_true", help="replace what lies at --output")
    _add_weights(parser)
    data = "measure the accuracy on this dataset's val split (default: data, if it is set up and has the model's classes)"
    parser.add_argument("-d", "--data", default=GIVEN_ONLY, metavar="DIR", help=data)


def _add_predict(parser):
    inputs = parser.add_argument_group("inputs")
    inputs.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="photos, videos, folders (all below), patterns ('*.jpg')",
    )
    inputs.add_argument(
        "--image",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="the same, by a flag",
    )
    inputs.add_argument(
        "--camera",
        type=int,
        default=None,
        metavar="N",
        help="this camera, 0 the first, until Ctrl-C",
    )
    inputs.add_argument(
        "--seconds",
        type=_seconds,
        default=None,
        metavar="X",
        help="stop a camera or a video after so long",
    )
    model = parser.add_argument_group("model (default: weights that ship, else the newest run)")
    _add_weights(model, "which model's")
    model.add_argument(
        "--tta",
        choices=TTA[:2],
        nargs="?",
        const="flip",
        default="none",
        help="average with the mirror image",
    )
    faces = parser.add_argument_group("faces")
    _add_detector(faces)
    faces.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="X",
        help="show more around a face, a share (default: 0)",
    )
    faces.add_argument(
        "--align",
        type=boolean,
        default=True,
        metavar="True|False",
        help="turn faces upright (default: True)",
    )
    faces.add_argument(
        "--smoothing",
        type=_seconds,
        default=None,
        metavar="X",
        help="of videos, in s; 0: none (default: 0.4)",
    )
    results = parser.add_argument_group("results")
    results.add_argument(
        "--csv", default=None, metavar="FILE", help="a row for each face or input without one"
    )
    results.add_argument(
        "--json", default=None, metavar="FILE", help="the same as a list of objects"
    )
    results.add_argument(
        "--annotate",
        default=None,
        metavar="DIR",
        help="write pictures, videos with boxes and bars, plots",
    )


def _add_explain(parser):
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="photos, folders, patterns; or --split of a dataset",
    )
    parser.add_argument(
        "--image",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="the same, by a flag",
    )
    parser.add_argument(
        "-d",
        "--data",
        default="data",
        metavar="DIR",
        help="dataset folder of --split (default: data)",
    )
    parser.add_argument("--split", default=None, help="a gallery of train, val or test")
    parser.add_argument(
        "--per-class",
        "--per_class",
        type=int,
        default=4,
        metavar="N",
        help="of the gallery (default: 4)",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        default=None,
        metavar="NAME",
        help="explain this class (default: the label)",
    )
    parser.add_argument(
        "--to",
        default="explained",
        metavar="DIR",
        help="where sheets are written (default: explained)",
    )
    _add_weights(parser)
    _add_detector(parser)


def _add_serve(parser):
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="0: any free one (default: 8000)"
    )
    hosts = "the address to listen at; 0.0.0.0: all, for other machines too (default: 127.0.0.1)"
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=hosts)
    names = "a name that the server is reached by, such as a proxy's; addresses and localhost need not be named"
    parser.add_argument(
        "--allow-host",
        "--allow_host",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=names,
    )
    _add_weights(parser)
    _add_detector(parser)


def _add_runs(parser):
    parser.add_argument(
        "folder", nargs="?", default="runs", metavar="FOLDER", help="where to look (default: runs)"
    )
    order = "best validation accuracy first, by name, or newest first (default: best)"
    parser.add_argument("--sort", choices=("best", "name", "started"), default="best", help=order)
    parser.add_argument(
        "--csv", default=None, metavar="FILE", help="write the table as CSV as well"
    )
    parser.add_argument(
        "--json", default=None, metavar="FILE", help="write the table as a JSON list as well"
    )


def _add_demo(parser):
    parser.add_argument(
        "--folder", default="data/demo", metavar="DIR", help="where it happens (default: data/demo)"
    )
    parser.add_argument(
        "--epochs", type=int, default=8, metavar="N", help="epochs of training (default: 8)"
    )
