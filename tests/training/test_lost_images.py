"""Images in the user's folder that are removed or damaged while a training runs."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from ferkit.cli import main
from ferkit.errors import UserError
from ferkit.input_pipeline.batches import _image_gatherer
from ferkit.training.failures import user_errors
from generate_data.images.lazy_array import ImageFiles
from tests.support.command_line import fails
from tests.support.image_datasets import Faces, write_tree

SMALL = ["--recipe", "input_warp", "--image_size", "48", "--epochs", "1", "--batch_size", "8"]


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [
        f"{split}/{name}/{k}.png"
        for name in ("happy", "sad")
        for split, count in (("train", 12), ("val", 3))
        for k in range(count)
    ]
    write_tree(tmp_path / "faces", names, Faces())
    return ["train", "--dataset", "folders", "--source", "faces", *SMALL, "--run", "runs/a"]


def test_an_unreadable_image_in_a_batch_is_one_line(tmp_path):
    write_tree(tmp_path, ["1.png", "2.png"], Faces())
    files = ImageFiles([tmp_path / "1.png", tmp_path / "2.png"], size=48, channels=1)
    unreadable = []
    gather = _image_gatherer(files, unreadable)
    assert gather(tf.constant([1, 0])).shape == (2, 48, 48, 1)
    (tmp_path / "2.png").unlink()
    trainer = SimpleNamespace(batches=SimpleNamespace(unreadable=unreadable))
    expected = r"2.png: the image is missing; put it back and add --resume"
    with pytest.raises(UserError, match=expected), user_errors(trainer):
        gather(tf.constant([1, 0]))
    with pytest.raises(UserError, match=expected), user_errors(trainer):
        files[[0, 1]]  # as the validation reads them


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("damage", ["removed", "damaged"])
def test_a_lost_image_is_one_line_and_the_run_resumes(
    command, split, damage, tmp_path, monkeypatch, capfd
):
    victim = tmp_path / "faces" / split / "happy/1.png"
    content, read = victim.read_bytes(), ImageFiles.__getitem__

    def losing(self, key):
        if victim.exists() and victim.read_bytes() == content:  # the training has begun
            victim.write_bytes(b"damaged")
            if damage == "removed":
                victim.unlink()
        return read(self, key)

    monkeypatch.setattr(ImageFiles, "__getitem__", losing)
    line = fails(command, capfd)
    problem = "the image is missing" if damage == "removed" else "not an image that can be read"
    assert f"{victim}: {problem}" in line
    assert "put it back and add --resume" in line
    monkeypatch.setattr(ImageFiles, "__getitem__", read)
    victim.write_bytes(content)
    assert main([*command, "--resume"]) == 0
    assert (tmp_path / "runs/a/best.keras").exists()
