"""What the commands share: the parser class, argument types, common groups, and typed options.

This module and all modules that define arguments import nothing heavy, so that --help is quick.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ferkit.errors import UserError, nearest
from ferkit.process import as_started

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# The choices of these flags. The modules that implement them import NumPy or TensorFlow, so their
# lists cannot be imported for --help; a test checks that both are the same.
SORT_ORDERS = ("best", "name", "started")
RUNTIMES = ("auto", "litert", "onnx", "keras")
STRATEGIES = ("one", "mirrored", "multiworker")
TTA = ("none", "flip", "ten-crop")

_LONG_WITH_ONE_DASH = re.compile(r"-[A-Za-z][A-Za-z_-]+")

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")


class CommandParser(argparse.ArgumentParser):
    """A parser that reports errors as one line and suggests the nearest known flag.

    Args:
        known_words: words that are suggested for an unknown word that is not a flag.
        options: those of ``argparse.ArgumentParser``.
    """

    def __init__(self, *, known_words: Iterable[str] = (), **options: Any) -> None:
        super().__init__(formatter_class=_HelpFormatter, allow_abbrev=False, **options)
        self.known_words = tuple(known_words)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but -epochs is an error and not -e with the value "pochs"."""
        words = list(sys.argv[1:] if args is None else args)
        flags = self._option_string_actions  # argparse has no public list of its flags
        for word in words:
            flag = word.split("=")[0]
            if _LONG_WITH_ONE_DASH.fullmatch(flag) and flag not in flags:
                problem = f"unknown flag{nearest(f'-{flag}', flags)}"
                raise UserError(flag, problem, f"see: {self.prog} --help")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise a UserError instead of printing the usage and exiting."""
        where, _, problem = message.partition(": ")
        if where == "unrecognized arguments":
            problem += self._suggestion(problem)
        if not problem:
            where, problem = self.prog, message
        raise UserError(where, problem, f"see: {self.prog} --help")

    def format_help(self) -> str:
        """The help, with commands as the user started the program."""
        return as_started(super().format_help())

    def known_spellings(self, words: Iterable[str]) -> list[str]:
        """The words of a command line, where `--batch-size` also means `--batch_size`.

        A flag that is not known is replaced by the known flag that differs in hyphens and
        underscores only.
        """
        # argparse has no public list of its flags.
        by_letters = {_letters(flag): flag for flag in self._option_string_actions}
        spelled = []
        for word in words:
            flag, equals, value = word.partition("=")
            if flag.startswith("--") and flag not in self._option_string_actions:
                flag = by_letters.get(_letters(flag), flag)
            spelled.append(f"{flag}{equals}{value}")
        return spelled

    def _suggestion(self, unrecognized: str) -> str:
        unknown = unrecognized.split()[0].split("=")[0]
        # argparse has no public list of its flags.
        flags = self._option_string_actions
        return nearest(unknown, flags if unknown.startswith("-") else self.known_words)


def _letters(flag: str) -> str:
    return flag.replace("-", "_")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


def options_from(options_class: type[OptionsT], namespace: argparse.Namespace) -> OptionsT:
    """The typed options of a command: every field has the name of a parsed argument."""
    fields = dataclasses.fields(options_class)
    return options_class(**{field.name: getattr(namespace, field.name) for field in fields})


def boolean(text: str) -> bool:
    """True or False from a word.

    Raises:
        argparse.ArgumentTypeError: any other word.
    """
    if text.lower() in ("true", "yes", "1", "on"):
        return True
    if text.lower() in ("false", "no", "0", "off"):
        return False
    raise argparse.ArgumentTypeError(f"expected True or False, received {text!r}")


def model_name(text: str) -> str:
    """The name of a model as the registry has it, for spellings such as DAN or Deep-Emotion."""
    return text.lower().replace("-", "_")


def seconds(text: str) -> float:
    """A number of seconds, 0 or more.

    Raises:
        argparse.ArgumentTypeError: a negative number.
    """
    number = float(text)
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, received {text!r}")
    return number


def check_positive(flag: str, number: int | None) -> None:
    """Raise a UserError if a number was given and is below 1."""
    if number is not None and number < 1:
        raise UserError(f"{flag} {number}", "out of range", "give a number of at least 1")


def add_boolean(
    group: argparse._ActionsContainer, *names: str, help_text: str, default: bool = False
) -> None:
    """A flag that takes True or False, and means True without a value."""
    group.add_argument(
        *names,
        type=boolean,
        nargs="?",
        const=True,
        default=default,
        metavar="True|False",
        help=help_text,
    )


def add_alias(group: argparse._ActionsContainer, *aliases: str, **options: Any) -> None:
    """Other names of a flag, accepted and not shown in the help."""
    group.add_argument(*aliases, **{**options, "help": argparse.SUPPRESS})


def add_corruptions(group: argparse._ActionsContainer) -> None:
    """Whether the accuracy on corrupted images is measured, and on how many."""
    group.add_argument(
        "--corruptions",
        type=int,
        nargs="?",
        const=1000,
        default=None,
        metavar="N",
        help="also measure N random images with blur, noise, JPEG, darkness, occlusion and other "
        "corruptions, which costs 52 evaluations of N images (default N: 1000)",
    )


def add_max_error(group: argparse._ActionsContainer) -> None:
    """The wanted fraction of wrong labels."""
    group.add_argument(
        "--max-error",
        type=float,
        default=None,
        metavar="X",
        help="mark less sure labels as unsure, so that at most the fraction X of the others is "
        "wrong, on faces like those that the released weights were measured on",
    )


def add_data(group: argparse._ActionsContainer) -> None:
    """The dataset folder."""
    group.add_argument(
        "-d", "--data", default="data", metavar="DIR", help="dataset folder (default: data)"
    )


def add_files(group: argparse._ActionsContainer, help_text: str) -> None:
    """Input files, as positional arguments or after --image."""
    group.add_argument("files", nargs="*", metavar="FILE", help=help_text)
    group.add_argument(
        "--image",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="the same, as a flag",
    )


def add_detector(group: argparse._ActionsContainer) -> None:
    """How faces are found in photos."""
    group.add_argument(
        "--detector",
        default="auto",
        metavar="NAME",
        help="face detector: auto or yunet; none: photos are cropped faces already; or the name of "
        "your own (default: auto)",
    )
    group.add_argument(
        "--detector-model",
        default=None,
        metavar="FILE",
        help="another YuNet model (.onnx), or the model of your own detector",
    )
    group.add_argument(
        "--detector-size",
        type=int,
        default=None,
        metavar="N",
        help="search photos at N pixels; larger finds smaller faces and takes longer (default: "
        "640, and up to 2560 where a large photo has hints of small faces)",
    )


def add_runtime(group: argparse._ActionsContainer) -> None:
    """What runs the model."""
    group.add_argument(
        "--runtime",
        type=str.lower,
        choices=RUNTIMES,
        default="auto",
        help="what runs the model; auto: LiteRT for shipped weights, which needs no TensorFlow, "
        "and the runtime of the file's format otherwise (default: auto)",
    )
