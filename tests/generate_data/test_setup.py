"""Set-up is idempotent, deterministic by seed, and all or nothing."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from generate_data import setup_fer2013 as setup
from generate_data.errors import DataError
from generate_data.images.png import load_images
from generate_data.manifest import COLUMNS, read_manifest
from generate_data.setup_fer2013 import format_summary, set_up
from tests.support.kaggle_files import (
    smooth_images,
    usages_for,
    write_icml_csv,
    write_test_csv,
    write_train_csv,
)

ROOT = Path(__file__).resolve().parents[2]


def digest(folder):
    """Names and contents of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def data(tmp_path):
    """A folder with train.csv (56 rows) and test.csv (8 rows)."""
    images = smooth_images(64)
    write_train_csv(tmp_path / "train.csv", images[:56])
    write_test_csv(tmp_path / "test.csv", images[56:])
    return tmp_path


def test_images_are_lossless_and_paths_relative(data):
    set_up(data, progress=False)
    manifest = read_manifest(data)
    assert (data / "manifest.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    paths = manifest.table["path"].tolist()
    assert all(not Path(path).is_absolute() and "\\" not in path for path in paths)
    images = load_images([data / path for path in paths])
    assert images.shape == (64, 48, 48, 1)
    np.testing.assert_array_equal(images[..., 0], smooth_images(64))
    assert paths[3].endswith("/train-00003.png")


def test_other_programs_read_the_images(data):
    from PIL import Image

    summary = set_up(data, progress=False)
    with Image.open(data / summary["images"] / "train-00003.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), smooth_images(64)[3])


def test_again_gives_the_same_bytes_and_leaves_the_input(data):
    set_up(data, progress=False)
    first = digest(data)
    set_up(data, progress=False)
    assert digest(data) == first
    assert set(first) >= {"train.csv", "test.csv", "manifest.csv", "dataset.json"}


def test_another_folder_gives_the_same_manifest(data, tmp_path):
    set_up(data, progress=False)
    set_up(tmp_path / "other", source=data, progress=False)
    assert (tmp_path / "other/manifest.csv").read_bytes() == (data / "manifest.csv").read_bytes()


def test_seed_changes_val_and_nothing_else(data):
    set_up(data, seed=0, progress=False)
    zero = read_manifest(data).table
    set_up(data, seed=1, progress=False)
    one = read_manifest(data).table
    assert (zero["split"] != one["split"]).any()
    assert zero["path"].tolist() == one["path"].tolist()
    assert zero["split"].value_counts().to_dict() == one["split"].value_counts().to_dict()


def test_lost_and_changed_images_come_back(data):
    summary = set_up(data, progress=False)
    first = digest(data)
    images = sorted((data / summary["images"]).iterdir())
    images[0].unlink()
    images[1].write_bytes(b"")
    set_up(data, progress=False)
    assert digest(data) == first


def test_images_of_another_png_encoder_stay_as_they_are(data):
    """As an earlier version wrote them: the pixels count, not the bytes."""
    from PIL import Image

    summary = set_up(data, progress=False)
    for path in (data / summary["images"]).iterdir():
        with Image.open(path) as image:
            image.load()
        image.save(path)
    first = digest(data)
    set_up(data, progress=False)
    assert digest(data) == first


def test_other_data_replaces_the_dataset(data):
    set_up(data, progress=False)
    (data / "test.csv").unlink()
    summary = set_up(data, progress=False)
    assert [path.name for path in data.glob("images-*")] == [summary["images"]]
    assert len(list((data / summary["images"]).iterdir())) == 56 == len(read_manifest(data).table)


def test_own_folders_of_the_user_are_left_alone(data):
    for name in ("images-mine", "images-holiday2024", "runs"):
        (data / name).mkdir()
    set_up(data, progress=False)
    assert all((data / name).is_dir() for name in ("images-mine", "images-holiday2024", "runs"))


def test_failure_half_way_keeps_the_earlier_dataset(data, monkeypatch):
    set_up(data, progress=False)
    before = digest(data)
    write_train_csv(data / "train.csv", smooth_images(40, seed=9))
    before["train.csv"] = digest(data)["train.csv"]

    def fail(*arguments):
        raise RuntimeError("pulled the plug")

    monkeypatch.setattr(setup, "write_manifest", fail)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        set_up(data, progress=False)
    monkeypatch.undo()
    after = digest(data)
    assert {name: after[name] for name in before} == before
    read_manifest(data)
    assert not list(data.glob(".setup-*"))
    summary = set_up(data, progress=False)
    assert [path.name for path in data.glob("images-*")] == [summary["images"]]


@pytest.mark.parametrize("moment", ["find_copies", "write_manifest"])
def test_killed_half_way_looks_unfinished_and_the_next_clears_up(data, moment):
    program = (
        "import sys, time; from generate_data import setup_fer2013 as setup\n"
        f"setup.{moment} = lambda *a, **k: (print('now', flush=True), time.sleep(60))\n"
        "setup.set_up(sys.argv[1], progress=False)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(data)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout.readline().strip() == b"now"
    time.sleep(0.1)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    process.stdout.close()
    assert list(data.glob(".setup-*"))
    with pytest.raises(DataError, match=r"an unfinished set-up.*run set-up"):
        read_manifest(data)
    summary = set_up(data, progress=False)
    assert len(read_manifest(data).table) == 64
    assert not list(data.glob(".setup-*"))
    assert [path.name for path in data.glob("images-*")] == [summary["images"]]


def test_val_is_an_eighth_of_each_class(tmp_path):
    labels = [0] * 80 + [1] * 8 + [3] * 71 + [6] * 1
    write_train_csv(tmp_path / "train.csv", smooth_images(160), labels)
    summary = set_up(tmp_path, progress=False)
    val = summary["splits"]["val"]
    assert val["rows"] == 20
    assert (val["classes"]["angry"], val["classes"]["disgust"], val["classes"]["happy"]) == (
        10,
        1,
        9,
    )


def test_summary_counts(tmp_path):
    images = smooth_images(20)
    images[15], images[17] = images[2], images[3]
    write_icml_csv(tmp_path / "icml_face_data.csv", images, usages_for(14, 3, 3))
    summary = set_up(tmp_path, progress=False)
    assert {name: split["rows"] for name, split in summary["splits"].items()} == {
        "train": 14,
        "val": 3,
        "test": 3,
    }
    counts = {(count["rows"], count["of"]): count for count in summary["copies"]}
    assert counts["val", "train"] == {
        "rows": "val",
        "of": "train",
        "exact": 1,
        "near": 0,
        "other_label": 1,
    }
    assert counts["test", "train"] == {
        "rows": "test",
        "of": "train",
        "exact": 1,
        "near": 0,
        "other_label": 0,
    }
    assert counts["train", "train"]["exact"] == 0
    text = format_summary(summary)
    assert "val of train" in text
    assert f"Wrote 20 images and {tmp_path / 'manifest.csv'}." in text


def test_progress_bar_goes_to_stderr(data, capsys):
    set_up(data, progress=True)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Setting up" in streams.err


def test_errors_are_imported_without_numpy():
    heavy = ("numpy", "pandas", "cv2", "tqdm")
    program = f"import sys, generate_data.errors; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


# ---- files of the user


@pytest.mark.parametrize("name", ["manifest.csv", "dataset.json"])
@pytest.mark.parametrize("content", ["id,notes\n1,mine\n", '{"mine": 1}', "[]"])
def test_a_manifest_of_the_user_is_not_replaced(name, content, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    write_train_csv(folder / "train.csv", smooth_images(14))
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}: not written by set-up, which would replace it"):
        set_up(folder, progress=False)
    assert (folder / name).read_text() == content
    assert {path.name for path in folder.iterdir()} == {name, "train.csv"}


@pytest.mark.skipif(os.name == "nt", reason="symbolic links of POSIX")
def test_a_linked_manifest_is_not_replaced(data):
    set_up(data, progress=False)
    (data / "manifest.csv").rename(data / "elsewhere.csv")
    (data / "manifest.csv").symlink_to("elsewhere.csv")
    before = (data / "elsewhere.csv").read_bytes()
    with pytest.raises(DataError, match=r"manifest\.csv: a symbolic link, which set-up would repl"):
        set_up(data, progress=False)
    assert (data / "elsewhere.csv").read_bytes() == before


def test_a_damaged_manifest_of_set_up_is_replaced(data):
    set_up(data, progress=False)
    before = (data / "manifest.csv").read_bytes()
    for name in ("manifest.csv", "dataset.json"):
        (data / name).write_bytes(b"\0damaged")
        set_up(data, progress=False)
        assert (data / "manifest.csv").read_bytes() == before


def test_a_hidden_folder_of_the_user_stays(data):
    (data / ".setup-notes").mkdir()
    (data / ".setup-123").mkdir()
    set_up(data, progress=False)
    assert (data / ".setup-notes").exists()
    assert not (data / ".setup-123").exists()
