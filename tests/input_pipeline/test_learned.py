"""Which images of a split the weights have learned, and what is said about it."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from ferkit.evaluation.evaluate import format_evaluation
from ferkit.evaluation.metrics import measure
from ferkit.input_pipeline.dataset import load_split
from ferkit.input_pipeline.learned import (
    image_hashes,
    learned_counts,
    learned_note,
    unexpectedly_learned,
    with_learned,
)
from ferkit.models.trained_on import TrainedOn
from generate_data.images.lazy_array import ImageFiles


def record_of(images, complete=True):
    return TrainedOn((), np.unique(image_hashes(images)), complete)


def note(split):
    return learned_note({"count": len(split), **learned_counts(split)})


def test_an_image_has_one_hash_in_an_array_and_in_files_of_any_size(tmp_path, rng):
    gray = rng.integers(0, 256, (4, 20, 20, 1)).astype(np.uint8)
    for index, image in enumerate(gray):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    paths = [tmp_path / f"{index}.png" for index in range(4)]
    expected = image_hashes(gray)
    assert len(set(expected.tolist())) == 4
    assert expected.max() < 2**40
    for size, channels in ((20, 1), (8, 3), (64, 3)):
        np.testing.assert_array_equal(image_hashes(ImageFiles(paths, size, channels)), expected)
    np.testing.assert_array_equal(image_hashes(np.repeat(gray, 3, axis=3)), expected)
    changed = gray.copy()
    changed[2, 5, 5] ^= 1
    assert (image_hashes(changed) != expected).tolist() == [False, False, True, False]


def test_learned_rows_are_those_in_the_record(toy_split):
    split = toy_split("val", 12, copies=[(3, "exact"), (4, "near")])
    split = with_learned(split, record_of(split.images[3:6]))
    assert np.flatnonzero(split.learned).tolist() == [3, 4, 5]
    # A marked exact duplicate of a train image is expected in the training data.
    assert np.flatnonzero(unexpectedly_learned(split)).tolist() == [4, 5]
    assert learned_counts(split) == {
        "count_learned": 3,
        "count_learned_unmarked": 2,
        "training_images_known": True,
    }


def test_the_note_says_how_many_of_how_many(toy_split):
    split = toy_split("val", 12, copies=[(3, "exact")])
    assert note(split).startswith("Unknown: the training images of these weights are not recorded")
    assert note(with_learned(split, TrainedOn())) == note(split)
    new = toy_split("train", 5).images
    assert note(with_learned(split, record_of(new))) == (
        "None of these images was in the training data of these weights."
    )
    assert note(with_learned(split, record_of(new, complete=False))).startswith("Unknown: ")
    assert note(with_learned(split, record_of(split.images[3:4]))) == (
        "1 of 12 images were in the training data of these weights, all of them marked as exact "
        "duplicates of train images."
    )
    learned = "2 of 12 images were in the training data of these weights: these figures are not "
    assert note(with_learned(split, record_of(split.images[:2]))).startswith(learned)
    partly = with_learned(split, record_of(split.images[:2], complete=False))
    assert note(partly).startswith(f"At least {learned}")


def test_clean_accuracy_leaves_learned_images_out(toy_split):
    split = toy_split("val", 10, copies=[(0, "exact"), (1, "near")])
    logits = np.full((10, 7), -9.0)
    logits[np.arange(10), split.labels] = 9.0
    wrong = [2, 3]
    logits[wrong] = -logits[wrong]
    figures = measure(logits, with_learned(split, record_of(split.images[2:4])))
    assert (figures["accuracy"], figures["accuracy_clean"]) == (0.8, 1.0)
    assert (figures["count_clean"], figures["count_clean_exact"]) == (6, 7)
    all_learned = measure(logits, with_learned(split, record_of(split.images)))
    assert (all_learned["accuracy_clean"], all_learned["count_clean"]) == (None, 0)
    assert "6 images that were not learned, without duplicates" in format_evaluation(figures)


def test_only_a_published_split_of_new_images_is_comparable_with_the_literature(toy_split):
    split = toy_split("val", 14)
    logits, other = np.zeros((14, 7)), toy_split("train", 3).images
    published = dataclasses.replace(split, published=True)

    def is_comparable(rows, record):
        figures = measure(logits, with_learned(rows, record))
        said = "as in the literature" in format_evaluation(figures)
        assert said == figures["comparable_with_literature"]
        return said

    assert is_comparable(published, record_of(other))
    assert not is_comparable(split, record_of(other))
    assert not is_comparable(published, record_of(other, complete=False))
    assert not is_comparable(published, TrainedOn())
    assert not is_comparable(published, record_of(split.images[:1]))


@pytest.mark.parametrize(
    ("description", "split", "count", "expected"),
    [
        ({"val_from": "source"}, "val", 3589, True),
        ({"val_from": "train"}, "val", 3589, False),  # an eighth of Training has as many images
        ({"val_from": "train"}, "test", 3589, True),
        ({"val_from": "source"}, "val", 4, False),
        ({"dataset": "rafdb", "val_from": "train"}, "test", 3068, True),
        ({"dataset": "folders", "val_from": "source"}, "val", 3589, False),
    ],
)
def test_a_published_split_is_known_by_its_count(tmp_path, description, split, count, expected):
    pandas = pytest.importorskip("pandas")
    from generate_data.manifest import Manifest

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((2, 2), np.uint8))
    table = pandas.DataFrame(
        {"path": ["a.png"] * count, "label": 0, "split": split, "copy_kind": "", "source_row": 0}
    )
    manifest = Manifest(tmp_path, ("a", "b"), table, json.loads(json.dumps(description)))
    loaded = load_split(tmp_path, split, manifest)
    assert loaded.published == expected
    assert loaded.dataset == description.get("dataset", "fer2013")
