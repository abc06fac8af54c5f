"""TensorBoard event files, read back with TensorFlow."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from deep_emotion import DeepEmotion
from ferkit.errors import UserError
from ferkit.reporting.model_views import picture_grid
from ferkit.reporting.tensorboard import TensorBoardLog

CONFUSION = np.arange(49).reshape(7, 7)
TAGS = ["validation/confusion", "train/augmented faces", "model/transformer"]


@pytest.fixture(scope="module")
def model():
    return DeepEmotion("input_warp")


@pytest.fixture
def faces(rng):
    return rng.integers(0, 256, (20, 48, 48, 1)).astype(np.uint8)


def events_of(path):
    return [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]


def summaries(events):
    """(step, tag) -> value."""
    return {(event.step, value.tag): value for event in events for value in event.summary.value}


def test_scalars_and_pictures_are_written_after_every_epoch(tmp_path, model, faces):
    log = TensorBoardLog(tmp_path / "tensorboard", model, model.class_names, faces)
    assert len(log.faces) == 16
    assert not (tmp_path / "tensorboard").exists()
    for number in (1, 2):
        log.epoch(
            number,
            {"train/loss": 1 / number, "validation/accuracy": 0.25},
            CONFUSION,
            faces.astype(np.float32),
        )
        (file,) = (tmp_path / "tensorboard").iterdir()
        assert file.name.startswith("events.out.tfevents.")
        events = events_of(file)  # flushed: the log is still open
        assert len(events) == 2 + number
    assert events[0].file_version == "brain.Event:2"
    assert events[1].session_log.status == tf.compat.v1.SessionLog.START
    assert all(event.wall_time > 1.7e9 for event in events)
    found = summaries(events)
    assert set(found) == {
        (step, tag) for step in (1, 2) for tag in [*TAGS, "train/loss", "validation/accuracy"]
    }
    assert found[2, "train/loss"].simple_value == 0.5
    for tag in TAGS:
        value = found[2, tag].image
        picture = Image.open(io.BytesIO(value.encoded_image_string))
        assert (picture.format, *picture.size) == ("PNG", value.width, value.height)
        assert min(picture.size) > 300


def test_a_resumed_run_opens_another_file_and_replaces_later_steps(tmp_path, model, faces):
    for first in (1, 2):
        log = TensorBoardLog(tmp_path, model, model.class_names, faces)
        log.epoch(first, {"train/loss": 1.0}, CONFUSION, faces)
        log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    starts = [events_of(file)[1] for file in files]
    assert sorted(start.step for start in starts) == [1, 2]


def test_a_closed_log_opens_again(tmp_path, model, faces):
    log = TensorBoardLog(tmp_path, model, model.class_names, faces[:0])
    for number in (1, 2):
        log.epoch(number, {}, CONFUSION, faces[:0])
        log.close()
    assert len(list(tmp_path.iterdir())) == 2
    tags = {tag for file in tmp_path.iterdir() for _, tag in summaries(events_of(file))}
    assert tags == {"validation/confusion"}, "no faces, no pictures of them"


def test_a_foreign_model_has_no_pictures(tmp_path, faces):
    model = keras.Sequential(
        [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7)]
    )
    log = TensorBoardLog(tmp_path, model, "abcdefg", faces)
    log.epoch(1, {}, CONFUSION, faces)
    (file,) = tmp_path.iterdir()
    assert {tag for _, tag in summaries(events_of(file))} == set(TAGS[:2])


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path, model, faces):
    (tmp_path / "file").write_text("")
    log = TensorBoardLog(tmp_path / "file" / "tensorboard", model, model.class_names, faces)
    with pytest.raises(UserError, match="tensorboard: cannot be written"):
        log.epoch(1, {}, CONFUSION, faces)


def test_a_grid_enlarges_and_keeps_the_order():
    pictures = np.stack([np.full((48, 40, 1), value, np.float32) for value in (0, 50.4, 300)])
    grid = picture_grid(pictures, columns=2)
    assert (grid.shape, grid.dtype) == ((2 * 96 + 6, 2 * 80 + 6, 3), np.uint8)
    assert [grid[5, 5, 0], grid[5, 100, 1], grid[150, 5, 2]] == [0, 50, 255]
    assert (grid[150, 100] == 255).all(), "the empty cell is white"
    assert picture_grid(np.zeros((1, 224, 224, 3), np.uint8)).shape == (224, 224, 3)
