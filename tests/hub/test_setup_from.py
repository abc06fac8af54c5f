"""`setup --from`: downloads from a stand-in hub, then reads the folder as any other."""

import os
import subprocess
import sys
from collections import Counter

import cv2
import pytest

from ferkit.cli import main
from generate_data.labels import CLASS_NAMES
from generate_data.manifest import read_manifest
from tests.support.command_line import ROOT
from tests.support.hub_server import hub_environment
from tests.support.image_datasets import RAFDB
from tests.support.kaggle_files import csv_text, rows_of, smooth_images

FER_FOLDERS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def setup(tmp_path, capsys):
    """A function that runs `setup` and returns the exit code, stdout, and stderr without bars."""

    def run(*words):
        code = main(["setup", "-d", str(tmp_path / "data"), *words])
        out, err = capsys.readouterr()
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        return code, out, errors

    return run


def png(image):
    return cv2.imencode(".png", image)[1].tobytes()


def fer_folders():
    """FER2013 as class folders, as Kaggle's FER-2013 has it: 3 train and 1 test image a class."""
    images = iter(smooth_images(28))
    return {
        f"{part}/{name}/{number}.png": png(next(images))
        for part, count in (("train", 3), ("test", 1))
        for name in FER_FOLDERS
        for number in range(count)
    }


def rafdb_flat():
    """RAF-DB as flat images with their lists: 21 train and 7 test images."""
    images, files = iter(smooth_images(28)), {"README.md": b"---\nlicense: other\n---\n"}
    for part, copies in (("train", "abc"), ("test", "d")):
        rows = [(f"{part}_{label}{copy}.png", label) for label in range(1, 8) for copy in copies]
        files |= {f"images/{name}": png(next(images)) for name, _ in rows}
        lines = ["image,label", *(f"{name},{label}" for name, label in rows)]
        files[f"{part}_labels.csv"] = "\n".join(lines).encode()
    return files


def asked(hub, ending):
    return [path for path, _ in hub.requests if path.endswith(ending)]


def test_kaggle_dataset(hub, setup, tmp_path):
    hub.files = fer_folders()
    code, out, errors = setup("--from", "kaggle:somebody/faces")
    assert (code, errors) == (0, [])
    folder = tmp_path / "kagglehub/datasets/somebody/faces/versions/3"
    assert f"Downloaded kaggle:somebody/faces: {folder}" in out
    manifest = read_manifest(tmp_path / "data")
    assert manifest.class_names == CLASS_NAMES
    splits = Counter(manifest.table["split"])
    assert splits["test"] == 7
    assert splits["train"] + splits["val"] == 21
    assert {header for _, header in hub.requests} == {"Bearer kaggle_of_this_test"}
    # Again: from kagglehub's cache.
    assert setup("--from", "kaggle:somebody/faces")[0] == 0
    assert len(asked(hub, "/DownloadDataset")) == 1


def test_kaggle_competition(hub, setup, tmp_path):
    rows = rows_of(smooth_images(28))
    hub.files = {"train.csv": csv_text(rows, ("emotion", "pixels")).encode()}
    code, out, errors = setup("--from", "kaggle-competition:faces-challenge")
    assert (code, errors) == (0, [])
    assert "Downloaded kaggle-competition:faces-challenge: " in out
    assert len(read_manifest(tmp_path / "data").table) == 28
    assert asked(hub, "/DownloadDataFiles")


def test_hugging_face_dataset(hub, setup, tmp_path, monkeypatch):
    hub.files = rafdb_flat()
    words = ("--dataset", "rafdb", "--from", "hf:somebody/faces")
    code, out, errors = setup(*words)
    assert (code, errors) == (0, [])
    assert "Downloaded hf:somebody/faces: " in out
    manifest = read_manifest(tmp_path / "data")
    table = manifest.table
    assert len(table) == 28
    for path, label in zip(table["path"], table["label"], strict=True):
        number = int(path.rpartition("/")[2].split("_")[1][0])
        assert manifest.class_names[label] == RAFDB[number - 1]
        assert path.startswith((tmp_path / "huggingface").as_posix())
    # The library may also ask for general information, without a token.
    tokens = {header for path, header in hub.requests if "/somebody/faces" in path}
    assert tokens == {"Bearer hf_of_this_test"}
    # Without a connection: from the cache of huggingface_hub.
    before = (tmp_path / "data/manifest.csv").read_bytes()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, _, errors = setup(*words)
    assert (code, errors) == (0, [])
    assert (tmp_path / "data/manifest.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("address", "status", "headers", "expected"),
    [
        ("kaggle:somebody/faces", 403, {}, "Kaggle refused access (403); check its owner and name"),
        ("kaggle:somebody/gone", 404, {}, "not found on Kaggle; check its owner and name"),
        ("kaggle-competition:faces", 403, {}, "accept the rules on its page"),
        ("hf:somebody/faces", 403, {"X-Error-Code": "GatedRepo"}, "ask for access on its page"),
        ("hf:somebody/gone", 404, {"X-Error-Code": "RepoNotFound"}, "not found on the Hugging"),
    ],
)
def test_refused(hub, setup, tmp_path, address, status, headers, expected):
    hub.refusal = status, headers
    code, _, errors = setup("--from", address)
    assert code == 2
    assert len(errors) == 1
    assert errors[0].startswith(f"error: --from {address}: ")
    assert expected in errors[0]
    assert not (tmp_path / "data").exists()


def test_offline(hub, setup, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    code, _, errors = setup("--from", "kaggle:somebody/faces")
    assert code == 2
    assert errors == [
        "error: --from kaggle:somebody/faces: no connection to Kaggle; "
        "check the network and try again; what is complete stays in the cache."
    ]


def test_the_program_obeys_the_variables_of_the_libraries(hub, tmp_path):
    """A process of its own: huggingface_hub reads its variables when it is imported."""
    hub.files = rafdb_flat()
    words = ["--dataset", "rafdb", "-d", str(tmp_path / "data"), "--from", "hf:somebody/faces"]
    done = subprocess.run(
        [sys.executable, "main.py", "setup", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **hub_environment(hub.url, str(tmp_path))},
    )
    assert done.returncode == 0, done.stderr
    assert len(read_manifest(tmp_path / "data").table) == 28


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("kagle:a/b", "unknown hub, nearest known: kaggle; give one of kaggle:msambare/fer2013, "),
        ("https://kaggle.com/a/b", "unknown hub; give one of "),
        ("msambare/fer2013", "not an address of a dataset; give one of "),
        ("hf:", "not an address of a dataset; give one of "),
    ],
)
def test_not_an_address(setup, address, expected):
    code, _, errors = setup("--from", address)
    assert code == 2
    assert errors[0].startswith(f"error: --from {address}: {expected}")


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["--source", "x"], "--source"),
        (["--raf_path", "x"], "--raf_path"),
        (["--sample"], "--sample"),
    ],
)
def test_two_sources(setup, words, flag):
    code, _, errors = setup("--from", "hf:a/b", *words)
    assert code == 2
    assert errors == [f"error: --from hf:a/b: {flag} gives another source; drop one of the two."]


@pytest.mark.parametrize(
    ("address", "module"), [("kaggle:a/b", "kagglehub"), ("hf:a/b", "huggingface_hub")]
)
def test_library_not_installed(setup, monkeypatch, address, module):
    monkeypatch.setitem(sys.modules, module, None)
    code, _, errors = setup("--from", address)
    assert code == 2
    (line,) = errors
    assert f"needs {module}, which is not installed; install with: pip install " in line
    assert "deep-emotion-keras[hub]" in line
