"""FER+ votes join by row, or not at all."""

import pytest

from generate_data.errors import DataError
from generate_data.manifest import read_manifest
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
