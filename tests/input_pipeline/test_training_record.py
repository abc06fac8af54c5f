"""The record that a training gives to its weights."""

import hashlib
import zipfile

import numpy as np

from ferkit.input_pipeline.learned import image_hashes
from ferkit.input_pipeline.training_record import training_record
from ferkit.models.trained_on import TrainedOn, write_trained_on
from ferkit.recipes.named import named_recipe
from ferkit.training.run_folder import RunFolder


def weights_with(path, record):
    with zipfile.ZipFile(path, "w"):
        pass
    if record:
        write_trained_on(path, record)
    return str(path)


def recipe(model="deep_emotion", **changes):
    return named_recipe(model, None, **changes)


def test_a_training_from_random_weights_records_its_own_images(toy_split):
    train = toy_split("train", 20)
    train.images[3] = train.images[2]
    record = training_record(train, recipe(), "ab")
    assert record.complete
    assert record.hashes.tolist() == sorted(set(image_hashes(train.images).tolist()))
    assert len(record.hashes) == 19
    (entry,) = record.datasets
    assert (entry["split"], entry["images"], entry["rows_sha256"]) == ("train", 20, "ab")


def test_initial_weights_teachers_and_backbones_add_their_records(toy_split, tmp_path):
    train = toy_split("train", 5)
    entry = {"dataset": "rafdb", "split": "train", "images": 1, "rows_sha256": "x"}
    first, second, third = (
        weights_with(
            tmp_path / f"{k}.keras", TrainedOn((entry,), np.array([k], np.uint64), complete=True)
        )
        for k in (1, 2, 3)
    )
    given = recipe("dan", init_from=first, teacher=f"{second}, {third}")
    record = training_record(train, given, "")
    assert record.complete
    assert {1, 2, 3} < set(record.hashes.tolist())
    assert [each["dataset"] for each in record.datasets] == ["", "rafdb"]
    backbone = training_record(train, recipe("dan", backbone_weights=third), "")
    assert len(backbone.hashes) == 6


def test_weights_without_a_record_make_it_incomplete(toy_split, tmp_path):
    train = toy_split("train", 5)
    older = weights_with(tmp_path / "older.keras", None)
    for name in (older, str(tmp_path / "gone.keras")):
        record = training_record(train, recipe(init_from=name), "")
        assert (len(record.hashes), record.complete) == (5, False)
    unknown_backbone = recipe("dan", backbone_weights=str(tmp_path / "faces.h5"))
    assert not training_record(train, unknown_backbone, "").complete


def test_known_imagenet_weights_have_learned_no_faces(toy_split, tmp_path, monkeypatch):
    train, file = toy_split("train", 5), tmp_path / "efficientnet-lite0.pth"
    file.write_bytes(b"weights")
    started = recipe("dan", backbone_weights=str(file))
    assert not training_record(train, started, "").complete
    known = {hashlib.sha256(b"weights").hexdigest()}
    monkeypatch.setattr("ferkit.input_pipeline.training_record.IMAGENET_FILES", known)
    assert training_record(train, started, "").complete


def test_a_run_stores_the_record_and_makes_a_damaged_one_again(tmp_path):
    run = RunFolder.create(tmp_path / "run", recipe(), {})
    assert run.stored_trained_on() is None
    record = TrainedOn((), np.array([7], np.uint64), complete=True)
    for content in (None, "{", "\udc80"):
        if content is not None:
            run.trained_on_file.write_bytes(content.encode("utf-8", "surrogateescape"))
            assert run.stored_trained_on() is None
        run.keep_trained_on(record, 4)
        assert run.stored_trained_on().hashes.tolist() == [7]
    assert run.val_images_learned() == 4
    assert run.record()["trained_on"]["images"] == 1
