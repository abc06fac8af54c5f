"""Targets: one-hot, FER+ votes, class weights, and the votes that a split reads from its manifest."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import load_split
from ferkit.recipes.recipe import Recipe
from ferkit.training.targets import class_weights, row_targets
from generate_data.errors import DataError
from generate_data.manifest import COLUMNS, Manifest
from generate_data.readers.ferplus import VOTE_NAMES
from tests.support.training_batches import training_batches

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def votes(**counts):
    return [counts.get(name, 0) for name in VOTE_NAMES]


@pytest.fixture
def voted(toy_split):
    """Rows 0 to 4 of classes angry, disgust, fear, happy, sad, with votes."""
    rows = [
        votes(anger=6, disgust=2, sadness=1, fear=1),
        votes(contempt=5, disgust=3, neutral=1),  # contempt is left out: 3/4 and 1/4
        votes(unknown=4, contempt=1),  # nothing is left
        votes(NF=10),
        votes(happiness=1, surprise=1, unknown=8),
    ]
    return dataclasses.replace(toy_split(count=5), votes=np.array(rows, np.int32))


def one_hot(label):
    return np.eye(7)[label]


def test_without_soft_labels_targets_are_one_hot(voted):
    np.testing.assert_array_equal(row_targets(voted, 0.0), np.eye(7)[:5])


def test_votes_become_shares_of_our_classes(voted):
    expected = [
        [0.6, 0.2, 0.1, 0, 0.1, 0, 0],
        [0, 0.75, 0, 0, 0, 0, 0.25],
        one_hot(2),
        one_hot(3),
        [0, 0, 0, 0.5, 0, 0.5, 0],
    ]
    np.testing.assert_allclose(row_targets(voted, 1.0), expected)
    np.testing.assert_allclose(row_targets(voted, 0.5), (np.array(expected) + np.eye(7)[:5]) / 2)


def test_contempt_counts_for_a_dataset_that_has_the_class(voted):
    split = dataclasses.replace(voted, class_names=(*NAMES, "contempt"))
    assert row_targets(split, 1.0)[1].tolist() == pytest.approx(
        [0, 3 / 9, 0, 0, 0, 0, 1 / 9, 5 / 9]
    )
    assert row_targets(split, 1.0)[2].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]


def test_classes_are_matched_by_name_and_missing_ones_left_out(voted):
    split = dataclasses.replace(
        voted, class_names=("sad", "bored", "angry"), labels=np.array([2, 1, 1, 1, 1], np.int32)
    )
    np.testing.assert_allclose(row_targets(split, 1.0)[0], [1 / 7, 0, 6 / 7])
    np.testing.assert_allclose(row_targets(split, 1.0)[1], [0, 1, 0])


def test_soft_labels_without_votes_or_classes_are_errors(voted, toy_split):
    with pytest.raises(
        UserError,
        match=r"--vote_weight: the dataset has no FER\+ votes; run setup again with --ferplus",
    ):
        training_batches(toy_split(count=5), Recipe(vote_weight=0.5), (48, 48, 1))
    with pytest.raises(UserError, match="the dataset's classes are calm, cross"):
        row_targets(
            dataclasses.replace(voted, class_names=("calm", "cross"), labels=voted.labels % 2), 0.5
        )


def test_class_weights_by_hand():
    labels = np.array([0, 0, 0, 2])
    # 4 rows, 2 classes that occur: 4 / (2 * 3), and 4 / (2 * 1).
    np.testing.assert_allclose(class_weights(labels, "balanced", 4), [2 / 3, 1, 2, 1])
    assert class_weights(labels, "balanced", 4)[labels].mean() == pytest.approx(1.0)
    np.testing.assert_array_equal(class_weights(labels, "none", 4), np.ones(4))


def by_row(split, recipe):
    """Targets and labels of the first epoch, in the order of the rows."""
    batches = training_batches(split, recipe, (48, 48, 1))
    order = np.argsort(batches._plan(0).rows)
    targets, labels = (
        np.concatenate([batch[place] for batch in batches.epoch(0)]) for place in (1, 2)
    )
    return targets[order], labels[order]


def test_batches_have_weighted_targets_and_labels_of_the_largest(voted):
    split = dataclasses.replace(voted, labels=np.array([0, 0, 0, 3, 5], np.int32))
    targets, labels = by_row(split, Recipe(batch_size=2, vote_weight=1.0, class_weights="balanced"))
    weights = np.array([5 / 9, 5 / 9, 5 / 9, 5 / 3, 5 / 3])
    np.testing.assert_allclose(targets, row_targets(split, 1.0) * weights[:, None], rtol=1e-6)
    assert targets.dtype == np.float32
    # Row 1 is voted disgust; row 4 is as much happy as surprise, and its own label wins.
    assert labels.tolist() == [0, 1, 0, 3, 5]
    assert labels.dtype == np.int32


def test_a_plain_recipe_has_one_hot_targets(toy_split):
    split = toy_split(count=20)
    targets, labels = by_row(split, Recipe(batch_size=8))
    np.testing.assert_array_equal(targets, np.eye(7)[split.labels])
    np.testing.assert_array_equal(labels, split.labels)


def manifest_with(folder, texts):
    """A dataset of as many tiny images, with a column votes unless `texts` is None."""
    import cv2

    count = 2 if texts is None else len(texts)
    for row in range(count):
        cv2.imwrite(str(folder / f"{row}.png"), np.full((4, 4), row, np.uint8))
    table = pd.DataFrame(
        [(f"{row}.png", 0, "train", "x.csv", row, pd.NA, "") for row in range(count)],
        columns=COLUMNS,
    )
    if texts is not None:
        table["votes"] = texts
    return Manifest(
        folder, NAMES, table, {"class_names": NAMES, "image_size": [4, 4], "channels": 1}
    )


def test_a_split_reads_the_votes_of_its_manifest(tmp_path):
    assert load_split(tmp_path, "train", manifest_with(tmp_path, None)).votes is None
    split = load_split(tmp_path, "train", manifest_with(tmp_path, ["4;0;0;1;3;2;0;0;0;0", ""]))
    np.testing.assert_array_equal(split.votes, [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [0] * 10])
    assert split.votes.dtype == np.int32


@pytest.mark.parametrize("text", ["1;2", "4;0;0;1;3;2;0;0;0;many"])
def test_torn_votes_are_an_error_that_names_the_manifest(text, tmp_path):
    with pytest.raises(
        DataError,
        match=r"manifest\.csv: column votes does not have 10 integers in each row \(.*\); run set-up again",
    ):
        load_split(tmp_path, "train", manifest_with(tmp_path, ["4;0;0;1;3;2;0;0;0;0", text]))


# ---- translated votes


def voted_rows(toy_split, rng, count=700):
    """Rows of sad (4) and neutral (6) faces.

    Annotators see neutral in both, and a little less so in the former.
    """
    labels = np.where(np.arange(count) % 2, 4, 6).astype(np.int32)
    rows = np.zeros((count, len(VOTE_NAMES)), np.int32)
    sad, neutral = VOTE_NAMES.index("sadness"), VOTE_NAMES.index("neutral")
    rows[:, sad] = rng.binomial(10, np.where(labels == 4, 0.35, 0.15))
    rows[:, neutral] = 10 - rows[:, sad]
    return dataclasses.replace(toy_split(count=count), labels=labels, votes=rows)


def test_translated_votes_answer_as_the_labels_do(toy_split, rng):
    split = voted_rows(toy_split, rng)
    plain, translated = row_targets(split, 1.0), row_targets(split, 1.0, "translated")
    np.testing.assert_allclose(translated.sum(axis=1), 1.0)
    np.testing.assert_allclose(
        translated.mean(axis=0), np.eye(7)[split.labels].mean(axis=0), atol=1e-6
    )
    right = (translated.argmax(axis=1) == split.labels).mean()
    assert right > 0.75 > (plain.argmax(axis=1) == split.labels).mean()
    # Three votes of ten for sad: as probable as the binomial numbers say.
    chance = 0.35**3 * 0.65**7 / (0.35**3 * 0.65**7 + 0.15**3 * 0.85**7)
    three = split.votes[:, VOTE_NAMES.index("sadness")] == 3
    assert translated[three][0, 4] == pytest.approx(chance, abs=0.06)
    np.testing.assert_allclose(
        row_targets(split, 0.25, "translated"), 0.75 * np.eye(7)[split.labels] + 0.25 * translated
    )


def test_rows_without_votes_keep_their_label_and_do_not_bend_the_translation(toy_split, rng):
    split = voted_rows(toy_split, rng)
    empty = np.where(np.arange(len(split.labels))[:, None] < 50, 0, split.votes).astype(np.int32)
    targets = row_targets(dataclasses.replace(split, votes=empty), 1.0, "translated")
    np.testing.assert_array_equal(targets[:50], np.eye(7)[split.labels[:50]])
    rest = dataclasses.replace(split, votes=split.votes[50:], labels=split.labels[50:])
    np.testing.assert_allclose(targets[50:], row_targets(rest, 1.0, "translated"), atol=1e-9)


def test_votes_of_every_kind_are_read_by_the_translation(toy_split, rng):
    """Contempt is no class of ours, but says something."""
    labels = (np.arange(400) % 2 * 6).astype(np.int32)
    rows = np.zeros((400, len(VOTE_NAMES)), np.int32)
    rows[:, VOTE_NAMES.index("neutral")] = 5
    rows[labels == 0, VOTE_NAMES.index("contempt")] = 5
    rows[labels == 6, VOTE_NAMES.index("unknown")] = 5
    split = dataclasses.replace(toy_split(count=400), labels=labels, votes=rows)
    assert (row_targets(split, 1.0, "translated").argmax(axis=1) == labels).all()
