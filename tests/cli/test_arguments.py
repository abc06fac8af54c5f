"""Flags: their choices, their aliases, and the typed options that commands get."""

import argparse
import dataclasses

import pytest

from ferkit.cli import arguments as cli_arguments
from ferkit.cli import command_module
from ferkit.cli.arguments import CommandParser, options_from
from ferkit.recipes.recipe import RENAMED_FIELDS
from tests.support.command_line import fails


def parsed(name, *words):
    parser = CommandParser(prog=name)
    command_module(name).add_arguments(parser)
    return options_from(command_module(name).Options, parser.parse_args(words))


def test_the_choices_are_those_of_the_modules_that_implement_them():
    from ferkit.recognition.runtimes import RUNTIME_CHOICES

    assert cli_arguments.RUNTIMES == RUNTIME_CHOICES


def test_options_are_frozen_and_typed():
    for name, words in (("train", ["-d", "data"]), ("runs", []), ("predict", ["a.jpg"])):
        options = parsed(name, *words)
        with pytest.raises(dataclasses.FrozenInstanceError):
            options.folder = "elsewhere"
        assert not isinstance(options, argparse.Namespace)


def test_only_values_that_were_given_override_the_recipe():
    assert parsed("train").overrides == {}
    options = parsed("train", "-e", "5", "--flip", "--dropout", "0.1", "-lr", "1", "-e", "6")
    assert options.overrides == {"epochs": 6, "flip": True, "dropout": 0.1, "learning_rate": 1.0}
    assert parsed("train").overrides == {}


@pytest.mark.parametrize(("old", "new"), RENAMED_FIELDS.items())
def test_old_names_of_recipe_flags_are_accepted_and_not_shown(old, new):
    value = {"init_from": "a.keras", "vote_kind": "shares"}.get(new, "1")
    expected = parsed("train", f"--{new}", value).overrides
    assert parsed("train", f"--{old}", value).overrides == expected
    parser = CommandParser(prog="train")
    command_module("train").add_arguments(parser)
    shown = parser.format_help()
    assert f"--{new} " in shown
    assert f"--{old} " not in shown


def test_the_dataset_folder_follows_from_the_dataset():
    assert parsed("setup").folder == "data"
    assert parsed("setup", "--dataset", "fer2013").folder == "data"
    assert parsed("setup", "--dataset", "rafdb").folder == "data/rafdb"
    assert parsed("train", "--aff_path", "AffectNet").folder == "data/affectnet"
    assert parsed("train", "--raf_path", "RAF", "-d", "d").folder == "d"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["export"],
            "error: the following arguments are required: --format, --output; see: python main.py "
            "export --help.",
        ),
        (
            ["runs", "--sort", "size"],
            "error: argument --sort: invalid choice: 'size' (choose from 'best', 'name', "
            "'started'); see: python main.py runs --help.",
        ),
        (["trian"], "error: unrecognized arguments: trian, nearest known: train; see: "),
    ],
)
def test_wrong_command_lines_are_one_line(words, message, capsys):
    assert message in fails(words, capsys)
