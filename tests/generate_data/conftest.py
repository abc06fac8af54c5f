"""Fixtures: folders of small image datasets."""

import pytest

from tests.support.image_datasets import Faces, annotate


@pytest.fixture
def faces():
    return Faces()


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def affectnet(source, faces):
    """22 train and 11 val images, labels 0 to 10 in turn.

    The labels are stored as text, as a number, and as an array of one number.
    """
    for number in range(33):
        label = number % 11
        held = [str(label), label, [float(label)]][number % 3]
        annotate(source, "train_set" if number < 22 else "val_set", number, held, faces)
    return source


@pytest.fixture
def rafdb(source, faces):
    """28 train and 7 test images, labels 1 to 7 in turn, and the list."""
    lines = []
    for number in range(35):
        name = f"{'train' if number < 28 else 'test'}_{number:05d}"
        faces.write(source / f"Image/aligned/{name}_aligned.jpg", size=(100, 100))
        lines.append(f"{name}.jpg {number % 7 + 1}")
    (source / "EmoLabel").mkdir()
    (source / "EmoLabel/list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return source
