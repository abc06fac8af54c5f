"""The command line: `main` parses one command line and runs its command.

Every command has a line in `COMMANDS` and a module of the same name in this package, which is
imported when the command is run. The module has four parts:

- ``EXAMPLES``: command lines that work, for its help.
- ``add_arguments(parser)``: its flags.
- ``Options``: what the user gave, as a frozen dataclass; argparse is not used beyond it.
- ``run(options)``: does it and returns the exit code.
"""

import contextlib
import errno
import importlib
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from types import ModuleType

from ferkit.cli.arguments import CommandParser, options_from
from ferkit.cli.extras import check_extra, missing_module_error
from ferkit.errors import UserError
from ferkit.process import FROM_SOURCE, as_started, imported
from generate_data.errors import DataError

__all__ = ["COMMANDS", "command_module", "main"]

DESCRIPTION = "Facial expression recognition with Deep-Emotion and DAN, on TensorFlow and Keras."
# command -> what it does
COMMANDS = {
    "setup": "write a dataset to disk from Kaggle's files, class folders or drawn sample faces",
    "train": "train a model by a recipe; a stopped training can be resumed",
    "evaluate": (
        "measure a trained model: accuracy with and without leaked copies, per class, calibration, "
        "confusion"
    ),
    "verify": "check the installation and a model: shapes, gradients, losses, reload",
    "compare": (
        "train backbones, ablations or models by one recipe, and compare their accuracy and cost"
    ),
    "predict": "find faces in photos, folders, videos or camera, and predict their expressions",
    "explain": (
        "show what a prediction is based on: Grad-CAM, Grad-CAM++, occlusion, the attention heads "
        "of DAN, the transformer of Deep-Emotion"
    ),
    "serve": "serve a web page and a JSON API: drop a photo or use the camera",
    "release": "store a trained model as one small, calibrated file with its model card",
    "export": "export a model as SavedModel, LiteRT or ONNX, and compare it with Keras",
    "runs": "list the training runs in a folder with their results, best first",
    "demo": "a full tour on drawn sample faces, in less than three minutes",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: the words after the program's name; None: those of this process.

    Returns:
        The exit code: 0 success, 1 a check or an input failed, 2 an error that the user can fix,
        130 stopped by Ctrl-C.

    Example:
        >>> main(["runs", "--sort", "name"])
        0
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may have letters that the terminal's encoding lacks; standard error does the same.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout:
                sys.stdout.flush()  # here, so that its error is reported like every other
    except OSError as error:
        return _output_error(error)


def _run(arguments: Sequence[str]) -> int:
    """Run one command line; its errors become one line and the exit code."""
    try:
        return _dispatch(arguments)
    except (UserError, DataError) as error:
        print(as_started(f"error: {error}"), file=sys.stderr)
        return 2
    except OSError as error:
        if not error.filename:
            raise
        # A name that the system refuses: too long, not permitted, a file where a folder should be.
        refused = UserError(error.filename, str(error.strerror), "check the name and permissions")
        print(f"error: {refused}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        missing = missing_module_error(arguments[0] if arguments else "", error)
        if missing is None:
            raise
        print(as_started(f"error: {missing}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _output_error(error: OSError) -> int:
    """Report that what the command printed could not be written; other errors are raised again."""
    if isinstance(error, BrokenPipeError):
        line = "output: closed by the program that reads it; the command was stopped."
    elif error.errno == errno.ENOSPC:
        line = "output: no space left on the disk; free some and run again."
    else:
        raise error
    with contextlib.suppress(OSError, ValueError):  # no second failure when Python exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with contextlib.suppress(OSError):
        print(f"error: {line}", file=sys.stderr)
    return 2


def _dispatch(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        run_short_form = imported("ferkit.cli.short_form:run_short_form")
        code: int = run_short_form(DESCRIPTION, COMMANDS, arguments)
        return code
    command = command_module(name)
    parser = _command_parser(name, command)
    namespace = parser.parse_args(parser.known_spellings(arguments[1:]))
    check_extra(name)
    code = command.run(options_from(command.Options, namespace))
    return code


def command_module(name: str) -> ModuleType:
    """The module of a command, with EXAMPLES, add_arguments, Options and run."""
    return importlib.import_module(f"ferkit.cli.{name}")


def _command_parser(name: str, command: ModuleType) -> CommandParser:
    summary = COMMANDS[name]
    parser = CommandParser(
        prog=f"{FROM_SOURCE} {name}",
        description=textwrap.fill(f"{summary[0].upper()}{summary[1:]}.", 98),
        epilog=command.EXAMPLES,
    )
    command.add_arguments(parser)
    return parser
