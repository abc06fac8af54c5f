"""The record of the training data in model files."""

import zipfile

import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.models.shipped_weights import shipped_weights
from ferkit.models.trained_on import TRAINED_ON, TrainedOn, read_trained_on, write_trained_on

FACES = {"dataset": "fer2013", "split": "train", "images": 3, "rows_sha256": "ab"}
MORE = {"dataset": "rafdb", "split": "train", "images": 2, "rows_sha256": "cd"}


def archive(path, text=None):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{}")
        if text is not None:
            file.writestr(TRAINED_ON, text)
    return path


def test_a_record_is_read_as_it_was_written(tmp_path):
    hashes = np.array([0, 255, 2**40 - 1], np.uint64)
    path = archive(tmp_path / "m.keras")
    write_trained_on(path, TrainedOn((FACES,), hashes, complete=True))
    record = read_trained_on(path)
    assert (record.datasets, record.complete) == ((FACES,), True)
    assert record.hashes.tolist() == [0, 255, 2**40 - 1]
    assert record.describe() == "fer2013 train (3 images)"


@pytest.mark.parametrize("model", [b"", b"the model of a .tflite file"])
def test_a_new_record_replaces_an_earlier_one(model, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("config.json", "{}")
    write_trained_on(path, TrainedOn((FACES,), np.array([1], np.uint64), complete=True))
    write_trained_on(path, TrainedOn((MORE,), np.array([2], np.uint64), complete=True))
    assert read_trained_on(path).datasets == (MORE,)
    assert path.read_bytes().startswith(model)
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.namelist() == ["config.json", TRAINED_ON]
        assert file.read("config.json") == b"{}"


def test_two_records_make_one_of_both():
    first = TrainedOn((FACES,), np.array([1, 5], np.uint64), complete=True)
    second = TrainedOn((FACES, MORE), np.array([2, 5], np.uint64), complete=True)
    both = first | second
    assert (both.datasets, both.complete) == ((FACES, MORE), True)
    assert both.hashes.tolist() == [1, 2, 5]
    assert (both | TrainedOn()).complete is False
    assert (both | TrainedOn()).describe().endswith("(2 images) and others that are not recorded")


def test_a_file_without_a_record_is_unknown(tmp_path):
    record = read_trained_on(archive(tmp_path / "m.keras"))
    assert (record.datasets, len(record.hashes), record.complete) == ((), 0, False)
    assert record.describe() == "not recorded"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 10_000,
        '{"datasets": [], "complete": true}',
        '{"datasets": [], "complete": true, "hashes": "AAA="}',
        '{"datasets": [{}], "complete": true, "hashes": ""}',
        '{"datasets": 3, "complete": true, "hashes": ""}',
    ],
)
def test_a_damaged_record_is_one_line(tmp_path, text):
    with pytest.raises(UserError, match=r"m.keras: its record trained_on.json .* is damaged"):
        read_trained_on(archive(tmp_path / "m.keras", text))


@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights_record_all_training_images_of_fer2013(name, suffix):
    record = read_trained_on(shipped_weights()[name].with_suffix(suffix))
    assert record.describe() == "fer2013 train (28,709 images)"
    assert record.complete
    assert len(record.hashes) == 27_473  # 1,236 images are exact duplicates of earlier ones
