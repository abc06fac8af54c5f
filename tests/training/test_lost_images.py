"""Images in the user's folder that are removed or damaged while a training runs."""

import pytest

from ferkit.cli import main
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
