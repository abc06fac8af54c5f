"""FER+ votes join by row, or not at all."""

import os

import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.labels import CLASS_NAMES
from generate_data.manifest import read_manifest
from generate_data.readers.fer2013 import read_source
from generate_data.readers.ferplus import _VOTED_LABELS, join_votes, read_votes
from generate_data.setup_fer2013 import format_summary, set_up
from tests.support.kaggle_files import (
    csv_text,
    rows_of,
    smooth_images,
    usages_for,
    write_class_folders,
    write_ferplus_csv,
    write_icml_csv,
    write_test_csv,
    write_train_csv,
)

IMAGES = smooth_images(24)
USAGES = usages_for(16, 4, 4)


def vote(row):
    return f"{row % 11};{10 - row % 11};0;0;0;0;0;0;0;0"


def test_votes_of_a_file_with_usage(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    summary = set_up(
        tmp_path, ferplus=write_ferplus_csv(tmp_path / "fer2013new.csv", USAGES), progress=False
    )
    assert read_manifest(tmp_path).table["votes"].tolist() == [vote(row) for row in range(24)]
    assert "FER+" in format_summary(summary)
    assert summary["votes"] is True


def test_without_ferplus_there_is_no_column(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    assert set_up(tmp_path, progress=False)["votes"] is False
    assert "votes" not in read_manifest(tmp_path).table


def test_ferplus_with_privatetest_fits_data_without(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES[:20], USAGES[:20])
    set_up(tmp_path, ferplus=write_ferplus_csv(tmp_path / "votes.csv", USAGES), progress=False)
    assert read_manifest(tmp_path).table["votes"].tolist() == [vote(row) for row in range(20)]


def test_usages_in_another_order_join_by_their_own_order(tmp_path):
    usages = [("PublicTest", "Training", "Training", "PrivateTest")[i % 4] for i in range(24)]
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, usages)
    votes = write_ferplus_csv(tmp_path / "votes.csv", usages_for(12, 6, 6))
    set_up(tmp_path, ferplus=votes, progress=False)
    joined = read_manifest(tmp_path).table["votes"].tolist()
    assert joined[:5] == [vote(12), vote(0), vote(1), vote(18), vote(13)]


def test_train_and_test_csv(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES[:16])
    write_test_csv(tmp_path / "test.csv", IMAGES[16:])
    set_up(tmp_path, ferplus=write_ferplus_csv(tmp_path / "votes.csv", USAGES), progress=False)
    assert read_manifest(tmp_path).table["votes"].tolist() == [vote(row) for row in range(24)]


def test_skipped_rows_do_not_shift_the_votes(tmp_path):
    rows = rows_of(IMAGES[:16])
    rows[4]["pixels"] = "1 2 3"
    (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))
    votes = write_ferplus_csv(tmp_path / "votes.csv", USAGES)
    set_up(tmp_path, ferplus=votes, skip_bad_rows=True, progress=False)
    assert read_manifest(tmp_path).table["votes"].tolist() == [
        vote(row) for row in range(16) if row != 4
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"not a FER\+ file: header ''"),
        ("a,b\n1,2\n", r"not a FER\+ file: header 'a,b'"),
        (None, r"cannot read the FER\+ votes: No such file"),
        ("\udcff\udcfe", r"not a FER\+ file"),
    ],
)
def test_not_a_ferplus_file(tmp_path, text, match):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    if text is not None:
        (tmp_path / "votes.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=match):
        set_up(tmp_path, ferplus=tmp_path / "votes.csv", progress=False)
    assert not (tmp_path / "manifest.csv").exists()


@pytest.mark.parametrize(
    "change", [("10", "ten"), ("Training", "Train"), (",0,0,0,0,0,0,0,0", ",0,0")]
)
def test_bad_row_of_votes(tmp_path, change):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    path = write_ferplus_csv(tmp_path / "votes.csv", USAGES)
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace(*change)
    path.write_text("\n".join(lines))
    with pytest.raises(
        DataError,
        match=r"votes.csv line 2: received '.*expected a Usage, an image name and 10 numbers",
    ):
        set_up(tmp_path, ferplus=path, progress=False)


def test_another_number_of_rows(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    path = write_ferplus_csv(tmp_path / "votes.csv", usages_for(16, 5, 4))
    with pytest.raises(
        DataError,
        match=r"5 rows of votes with Usage PublicTest, and 4 such rows in icml_face_data.csv",
    ):
        set_up(tmp_path, ferplus=path, progress=False)


def test_another_number_of_rows_without_usage(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES[:15])
    path = write_ferplus_csv(tmp_path / "votes.csv", USAGES)
    with pytest.raises(DataError, match=r"16 rows of votes for Training, and 15 rows in train.csv"):
        set_up(tmp_path, ferplus=path, progress=False)


def test_class_folders_have_no_order(tmp_path):
    write_class_folders(tmp_path, IMAGES, [f"train/happy/{i}.png" for i in range(24)])
    path = write_ferplus_csv(tmp_path / "votes.csv", USAGES)
    with pytest.raises(DataError, match=r"class folders have lost the order"):
        set_up(tmp_path, ferplus=path, progress=False)


def agreeing_votes(path, labels, usages, order=None, named=True):
    """Votes of which two in three rows agree with the label, in another order if one is given."""
    columns = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")
    lines = []
    for row, (label, usage) in enumerate(zip(labels, usages, strict=True)):
        voted = label if row % 3 else (label + 1) % 7
        counts = [10 * (CLASS_NAMES[voted] == name) for name in columns]
        name = f"fer{row:07d}.png" if named else ""
        lines.append(f"{usage},{name},{','.join(map(str, counts))},0,0,0")
    header = (
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    )
    rows = lines if order is None else [lines[row] for row in order]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def many_faces(tmp_path_factory):
    """1,200 train rows whose labels are random."""
    folder = tmp_path_factory.mktemp("many")
    labels = np.random.default_rng(0).integers(0, 7, 1200)
    images = np.random.default_rng(1).integers(0, 256, (1200, 48, 48)).astype(np.uint8)
    write_icml_csv(folder / "icml_face_data.csv", images, usages_for(1200), labels)
    rows = read_source(folder / "icml_face_data.csv").rows
    return folder, labels, rows


def test_votes_that_agree_with_the_labels_are_joined(many_faces):
    folder, labels, rows = many_faces
    votes = join_votes(rows, agreeing_votes(folder / "votes.csv", labels, usages_for(1200)))
    assert votes[1].split(";")[_VOTED_LABELS.index(labels[1])] == "10"
    assert len(votes) == 1200


def test_shuffled_votes_are_refused_by_their_image_names(many_faces):
    folder, labels, rows = many_faces
    order = np.random.default_rng(2).permutation(1200)
    path = agreeing_votes(folder / "votes.csv", labels, usages_for(1200), order)
    with pytest.raises(DataError, match=r"its rows are in another order than its image names"):
        join_votes(rows, path)


@pytest.mark.parametrize("moved", ["all", "the last 600", "by one row"])
def test_rows_in_another_order_are_refused_by_the_agreement_with_the_labels(many_faces, moved):
    folder, labels, rows = many_faces
    order = np.arange(1200)
    if moved == "by one row":
        order = np.roll(order, 1)
    else:
        start = 0 if moved == "all" else 600
        order[start:] = np.random.default_rng(2).permutation(order[start:])
    path = agreeing_votes(folder / "votes.csv", labels, usages_for(1200), order, named=False)
    with pytest.raises(
        DataError,
        match=r"is the label of only 1\d% of rows \d+ to \d+ of icml_face_data.csv, usually of 63",
    ):
        join_votes(rows, path)


@pytest.mark.parametrize("count", ["\u00b2", "9" * 5000, "\u0663", "-1", "1e1"])
def test_a_count_that_is_no_small_number_is_one_line(tmp_path, count):
    path = write_ferplus_csv(tmp_path / "votes.csv", USAGES)
    path.write_text(path.read_text().replace(",10,", f",{count},", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"votes.csv line 2: received .* 10 numbers of votes"):
        read_votes(path)


def test_a_field_without_end_and_a_pipe_are_one_line(tmp_path):
    path = write_ferplus_csv(tmp_path / "votes.csv", USAGES)
    path.write_text(path.read_text() + "x" * 200_000)
    with pytest.raises(DataError, match=r"not a FER\+ file \(field larger than field limit"):
        read_votes(path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match=r"pipe.csv: not a file; give fer2013new.csv"):
        read_votes(tmp_path / "pipe.csv")
