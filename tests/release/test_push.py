"""`release --push` uploads the files of a release; what comes back is the same model."""

import json

import pytest

from ferkit.cli import main
from ferkit.errors import UserError
from ferkit.hub.models import check_upload
from ferkit.models.shipped_weights import model_file, shipped_weights
from ferkit.release.push import push_release

NAME = "deep_emotion_paper-fer2013"
SHIPPED = shipped_weights()[NAME]
FILES = [
    "README.md",
    "config.json",
    f"{NAME}.tflite",
    "metadata.json",
    "model.weights.h5",
    "release.json",
    "trained_on.json",
]


def test_all_files_of_a_release_are_uploaded(hub):
    check_upload("hf://somebody/faces", "--push")
    assert push_release(SHIPPED, "hf://somebody/faces") == FILES
    assert sorted(hub.files) == FILES
    assert hub.files["README.md"] == SHIPPED.with_suffix(".md").read_bytes()
    assert hub.files["README.md"].startswith(b"---\nlibrary_name: keras\n")
    assert hub.files[f"{NAME}.tflite"] == SHIPPED.with_suffix(".tflite").read_bytes()
    released = json.loads(SHIPPED.with_suffix(".json").read_text())
    figures = json.loads(hub.files["release.json"])
    assert {key: figures[key] for key in released} == released
    back = model_file("hf://somebody/faces")
    assert back.with_suffix(".tflite").read_bytes() == hub.files[f"{NAME}.tflite"]


def test_a_release_is_pushed_after_it_is_written(hub, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert not main(["setup", "-d", "data", "--sample", "--sample-count", "140"])
    words = ["release", "-d", "data", "--weights", NAME, "--name", "mine"]
    assert not main([*words, "--push", "hf://somebody/faces"])
    assert "Use it with --weights hf://somebody/faces\n" in capsys.readouterr().out
    assert hub.files["README.md"] == (tmp_path / "released" / "mine.md").read_bytes()
    assert hub.files["mine.tflite"] == (tmp_path / "released" / "mine.tflite").read_bytes()
    assert json.loads(hub.files["release.json"])["name"] == "mine"


@pytest.mark.parametrize(
    ("token", "status", "line"),
    [
        ("hf_wrong", None, r"refused access \(401\).*HF_TOKEN"),
        ("hf_of_this_test", 403, r"refused access \(403\).*HF_TOKEN"),
        ("hf_of_this_test", 503, r"has a fault of its own \(503\)"),
    ],
)
def test_nothing_is_measured_if_the_hub_refuses(token, status, line, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", token)
    hub.refusal = status
    with pytest.raises(UserError, match=f"^--push hf://somebody/faces: .*{line}"):
        check_upload("hf://somebody/faces", "--push")
    assert hub.requests[-1] == "GET /api/whoami-v2"


def test_an_upload_that_is_refused_at_the_end_is_one_line(hub):
    hub.refusal = 403
    with pytest.raises(UserError, match=r"^--push hf://somebody/faces: .*refused access \(403\)"):
        push_release(SHIPPED, "hf://somebody/faces")


def test_a_malformed_address_is_refused_at_once():
    with pytest.raises(UserError, match=r"^--push hf://mine: not the address of a model; give hf:"):
        check_upload("hf://mine", "--push")
