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


@pytest.mark.parametrize(
    ("words", "flag", "meant"),
    [
        (["train", "-epochs", "5"], "-epochs", "--epochs"),
        (["train", "-epochs=5"], "-epochs", "--epochs"),
        (["-t", "True", "-batch_size", "5"], "-batch_size", "--batch_size"),
        (["setup", "-data", "x"], "-data", "--data"),
        (["evaluate", "-split", "test"], "-split", "--split"),
        (["predict", "-model", "dan"], "-model", "--model"),
        (["explain", "-data", "x"], "-data", "--data"),
        (["compare", "-epochs", "5"], "-epochs", "--epochs"),
        (["release", "-name", "x"], "-name", "--name"),
        (["export", "-format", "onnx"], "-format", "--format"),
        (["verify", "-weights", "x"], "-weights", "--weights"),
        (["serve", "-port", "1"], "-port", "--port"),
        (["runs", "-sort", "name"], "-sort", "--sort"),
    ],
)
def test_a_long_flag_with_one_dash_is_an_error(words, flag, meant, capsys):
    assert f"error: {flag}: unknown flag, nearest known: {meant}; see: " in fails(words, capsys)


def test_short_flags_are_read_as_before():
    options = parsed("train", "-e5", "-lr", "0.1", "-bs", "8", "-hparams", "True", "-d/tmp/x")
    assert options.overrides == {"epochs": 5, "learning_rate": 0.1, "batch_size": 8}
    assert options.folder == "/tmp/x"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("DAN", "dan"), ("Dan", "dan"), ("Deep-Emotion", "deep_emotion"), ("dan", "dan")],
)
def test_names_of_models_are_known_in_any_spelling(spelling, name):
    for command in ("train", "evaluate", "predict", "explain", "verify", "compare"):
        assert parsed(command, "-m", spelling).model == name
    assert parsed("compare", "--models", spelling).models == [name]


def test_choices_are_known_in_capitals():
    assert parsed("train", "--optimizer", "SGD").overrides == {"optimizer": "sgd"}
    assert parsed("setup", "--dataset", "AffectNet").dataset == "affectnet"
    assert parsed("export", "--format", "ONNX", "--output", "x").format == "onnx"
