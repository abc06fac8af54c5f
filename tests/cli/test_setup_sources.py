"""`setup` on datasets that people download: the source says how it is read."""

import sys

import pytest

from ferkit.cli import main
from generate_data.manifest import read_manifest
from tests.support.command_line import fails
from tests.support.image_datasets import Faces, write_ferplus_folders, write_tree
from tests.support.kaggle_files import smooth_images, usages_for, write_fer2013_csv
from tests.support.parquet_files import encoded, write_parquet

NAMES = ["Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def parquet(here):
    images = [encoded(image) for image in smooth_images(14)]
    for split in ("train", "test"):
        path = here / f"hub/data/{split}-00000-of-00001.parquet"
        write_parquet(path, images, [row % 7 for row in range(14)], NAMES)
    return "hub"


def test_parquet_needs_no_flag(parquet, capsys):
    assert main(["setup", "--source", parquet, "-d", "data/fer"]) == 0
    assert "Read 2 parquet files, in " in capsys.readouterr().out
    manifest = read_manifest("data/fer")
    assert manifest.description["dataset"] == "folders"
    assert len(manifest.split("test")) == 14


def test_class_folders_of_ck48_need_no_flag(here, capsys):
    names = [f"CK+48/{name}/S{row:03d}_001_00000014.png"
             for name in ("anger", "contempt") for row in range(16)]  # fmt: skip
    write_tree(here / "ck", names, Faces())
    assert main(["setup", "--source", "ck"]) == 0
    assert "each of the 16 persons kept in one split" in capsys.readouterr().out
    assert read_manifest("data/folders").class_names == ("angry", "contempt")


@pytest.mark.slow
def test_ferplus_trains_eight_classes_with_votes(here, capsys):
    source = write_ferplus_folders(here / "FERPlus/data", Faces())
    assert main(["setup", "--source", str(source), "-d", "data"]) == 0
    assert "FER+ votes are in the column votes" in capsys.readouterr().out
    quick = ["--epochs", "1", "--batch_size", "8", "--vote_weight", "1"]
    assert main(["train", "-d", "data", "--run", "runs/a", *quick]) == 0
    assert "contempt" in capsys.readouterr().out


def test_fer2013_is_still_the_default(here, capsys):
    write_fer2013_csv(here / "fer2013.csv", smooth_images(21), usages_for(7, 7, 7))
    assert main(["setup", "--source", "fer2013.csv"]) == 0
    assert read_manifest("data").description.get("dataset", "fer2013") == "fer2013"


def test_without_pyarrow_one_line_says_what_to_install(parquet, here, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "generate_data.readers.parquet", raising=False)
    line = fails(["setup", "--source", parquet, "-d", "data"], capsys)
    assert line == (
        "error: python main.py setup: needs pyarrow, which is not installed; install with: "
        'pip install "deep-emotion-keras[parquet]".'
    )
    assert not (here / "data/manifest.csv").exists()
