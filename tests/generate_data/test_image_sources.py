"""Which sources are read as image folders when the user does not name the dataset."""

import pytest

from generate_data.labels import CLASS_NAMES
from generate_data.readers.image_sources import is_image_source
from tests.support.image_datasets import write_tree
from tests.support.kaggle_files import smooth_images, write_class_folders, write_train_csv

CK48 = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([f"{name}/1.png" for name in CK48], True),
        ([f"CK+48/{name}/1.png" for name in CK48], True),
        ([f"train/{name}/1.png" for name in (*CLASS_NAMES, "contempt")], True),
        ([f"ferplus/train/{name}/1.png" for name in (*CLASS_NAMES, "contempt")], True),
        ([f"train/{name}/1.png" for name in CLASS_NAMES], False),
        ([f"archive/train/{name}/1.png" for name in CLASS_NAMES], False),
        (["train/1/1.png", "train/2/1.png"], False),
        (["pictures/1.png"], False),
    ],
)
def test_class_folders(source, faces, paths, expected):
    write_tree(source, paths, faces)
    assert is_image_source(source) is expected


def test_ferplus_and_parquet_by_their_names(source):
    (source / "data/FER2013Train").mkdir(parents=True)
    assert not is_image_source(source)
    (source / "data/FER2013Train/label.csv").write_text("fer0000000.png")
    assert is_image_source(source)
    (source / "data/FER2013Train/label.csv").unlink()
    (source / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1")
    assert is_image_source(source)
    assert is_image_source(source / "data/train-00000-of-00001.parquet")


def test_a_csv_of_fer2013_comes_first(source):
    images = smooth_images(2)
    write_class_folders(source, images, ["happy/1.png", "sad/1.png"])
    assert is_image_source(source)
    write_train_csv(source / "train.csv", images)
    assert not is_image_source(source)
    assert not is_image_source(source / "train.csv")
    assert not is_image_source(source / "gone")
