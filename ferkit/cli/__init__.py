"""The command line: `main` parses one command line and runs its command.

Every command is a module of this package with the same five parts:

- ``SUMMARY``: what it does, for the list of commands.
- ``EXAMPLES``: command lines that work, for its help.
- ``add_arguments(parser)``: its flags.
- ``Options``: what the user gave, as a frozen dataclass; argparse is not used beyond it.
- ``run(options)``: does it and returns the exit code.
"""

import sys
import textwrap
from collections.abc import Sequence
from types import ModuleType

from ferkit.cli import (
    compare,
    demo,
    evaluate,
    explain,
    export,
    predict,
    release,
    runs,
    serve,
    setup,
    train,
    verify,
)
from ferkit.cli.arguments import CommandParser, options_from
from ferkit.cli.short_form import run_short_form, short_parser
from ferkit.errors import UserError
from generate_data.errors import DataError

__all__ = ["COMMANDS", "main"]

DESCRIPTION = "Facial expression recognition with Deep-Emotion and DAN, on TensorFlow and Keras."
COMMANDS: dict[str, ModuleType] = {
    "setup": setup,
    "train": train,
    "evaluate": evaluate,
    "verify": verify,
    "compare": compare,
    "predict": predict,
    "explain": explain,
    "serve": serve,
    "release": release,
    "export": export,
    "runs": runs,
    "demo": demo,
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
    try:
        return _dispatch(sys.argv[1:] if arguments is None else arguments)
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _dispatch(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        summaries = {name: command.SUMMARY for name, command in COMMANDS.items()}
        return run_short_form(short_parser(DESCRIPTION, summaries), arguments)
    command = COMMANDS[name]
    namespace = _command_parser(name, command).parse_args(arguments[1:])
    code: int = command.run(options_from(command.Options, namespace))
    return code


def _command_parser(name: str, command: ModuleType) -> CommandParser:
    parser = CommandParser(
        prog=f"python main.py {name}",
        description=textwrap.fill(f"{command.SUMMARY[0].upper()}{command.SUMMARY[1:]}.", 98),
        epilog=command.EXAMPLES,
    )
    command.add_arguments(parser)
    return parser
