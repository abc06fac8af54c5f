"""Outputs of `predict` and `explain`: originals stay, and no result replaces another."""

import os
import shutil

import pytest
from PIL import Image

from ferkit.cli import main
from ferkit.demo.steps import ASTRONAUT
from ferkit.prediction.video import Video
from tests.support.command_line import fails
from tests.support.drawn_films import picture, write_video


def save(path, *boxes):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*boxes)).save(path)
    return path.read_bytes()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_annotated_results_never_replace_their_inputs(here, weights):
    photo = save(here / "photo.jpg", (30, 30, 40))
    write_video(here / "talk.mp4", [picture((20, 20, 50))] * 4)
    film = (here / "talk.mp4").read_bytes()
    words = ["predict", "photo.jpg", "talk.mp4", "--weights", weights, "--annotate", "."]
    for _ in range(2):  # a second run replaces the results of the first
        assert main(words) == 0
        assert set(contents(here)) == {
            *("photo.jpg", "photo-2.jpg", "talk.mp4"),
            *("talk-2.mp4", "talk-2.png"),
        }
    assert (here / "photo.jpg").read_bytes() == photo
    assert (here / "talk.mp4").read_bytes() == film
    assert len(list(Video(here / "talk-2.mp4").frames())) == 4


def test_a_picture_of_the_user_that_is_no_input_stays(here, weights):
    save(here / "in" / "photo.jpg", (30, 30, 40))
    mine = save(here / "photo.jpg")
    assert main(["predict", "in", "--weights", weights, "--annotate", "."]) == 0
    assert (here / "photo.jpg").read_bytes() == mine
    assert (here / "photo-2.jpg").exists()


def test_names_of_many_inputs_are_all_kept(here, weights):
    files = ["b/a.jpg", "c/a-2.jpg", "c/a.jpg"]
    for number, file in enumerate(files):
        save(here / file, (30 + 10 * number, 30, 40))
    words = ["predict", *files, "--weights", weights, "--annotate", "m"]
    assert main(words) == 0
    first = contents(here / "m")
    assert set(first) == {"a.jpg", "a-2.jpg", "a-3.jpg"}
    assert main(words) == 0
    assert contents(here / "m") == first
    assert main([*words, "--margin", "0.2"]) == 0
    assert len(contents(here / "m")) == 6
    assert {name: contents(here / "m")[name] for name in first} == first


@pytest.mark.parametrize("flag", ["--csv", "--json"])
def test_a_table_never_replaces_an_input(flag, here, weights, capsys):
    photo = save(here / "me.jpg", (30, 30, 40))
    os.link(here / "me.jpg", here / "linked.jpg")
    shutil.copy(weights, here / "model.keras")
    words = ["predict", "me.jpg", "--weights", "model.keras"]
    for output, source in (("me.jpg", "me.jpg"), ("linked.jpg", "me.jpg")):
        line = fails([*words, flag, output], capsys)
        assert f"{flag} {output}: the same file as the input {source}" in line
    assert "the same file as the input model.keras" in fails([*words, flag, "model.keras"], capsys)
    line = fails([*words, "--csv", "out", "--json", "./out"], capsys)
    assert "--json ./out: the same file as --csv out; give two names" in line
    assert (here / "me.jpg").read_bytes() == photo
    assert (here / "model.keras").stat().st_size > 1000
    assert not (here / "out").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_tables_go_to_devices(here, weights, capsys):
    save(here / "me.jpg", (30, 30, 40))
    words = ["predict", "me.jpg", "--weights", weights]
    assert main([*words, "--csv", os.devnull, "--json", os.devnull]) == 0
    line = fails([*words, "--csv", "/dev/full"], capsys)
    assert "/dev/full: no space left on the disk" in line


def test_sheets_of_explain_are_all_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = Image.open(ASTRONAUT)
    for folder, size in (("a", (200, 200)), ("b", (240, 240))):
        (tmp_path / folder).mkdir()
        photo.resize(size).save(tmp_path / folder / "x.jpg")
    words = ["explain", "a/x.jpg", "b/x.jpg", "--runtime", "litert", "--to", "why"]
    assert main(words) == 0
    first = contents(tmp_path / "why")
    assert set(first) == {"x-explained.png", "x-explained-2.png"}
    assert len(set(first.values())) == 2
    assert main(words) == 0
    assert contents(tmp_path / "why") == first
    assert main([*words, "-m", "dan"]) == 0
    assert len(contents(tmp_path / "why")) == 4
    assert {name: contents(tmp_path / "why")[name] for name in first} == first
