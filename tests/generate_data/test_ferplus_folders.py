"""FER+ as image folders: FERPlus' own output with label.csv, and eight class folders."""

from collections import Counter

import pytest

from ferkit.input_pipeline.dataset import load_split
from generate_data.labels import CLASS_ORDER, FERPLUS, expression_of
from generate_data.readers.ferplus import VOTE_NAMES
from generate_data.setup_image_folders import format_image_summary
from tests.support.image_datasets import (
    assert_refused,
    set_up_and_read,
    votes_for,
    write_ferplus_folders,
    write_tree,
)


@pytest.fixture
def ferplus(source, faces):
    """16 train, 8 val and 8 test images, each class in turn."""
    return write_ferplus_folders(source, faces)


def change(source, line, text):
    path = source / "FER2013Train/label.csv"
    lines = path.read_text().splitlines()
    lines[line] = text
    path.write_text("\n".join(lines) + "\n")


def test_the_classes_of_the_votes_are_those_of_their_names():
    assert tuple(map(expression_of, VOTE_NAMES[:8])) == FERPLUS


def test_own_output(ferplus, data):
    summary, manifest, found = set_up_and_read(data, "folders", ferplus)
    assert manifest.class_names == CLASS_ORDER
    assert Counter(split for split, _ in found.values()) == {"train": 16, "val": 8, "test": 8}
    assert found["FER2013Train/fer0000003.png"] == ("train", "sad")
    assert found["FER2013Valid/fer0000023.png"] == ("val", "contempt")
    assert found["FER2013Test/fer0000024.png"] == ("test", "neutral")
    rows = manifest.table.set_index("path")
    row = rows.loc[(ferplus / "FER2013Train/fer0000003.png").as_posix()]
    assert (row["votes"], row["source_label"]) == ("0;0;0;8;1;0;0;0;1;0", "sadness")
    assert summary["val_from"] == "source"
    assert summary["warnings"] == []
    text = format_image_summary(summary)
    assert text.startswith("Read FER+ by label.csv, in ")
    assert "FER+ votes are in the column votes of the manifest." in text


def test_a_split_has_the_votes(ferplus, data):
    set_up_and_read(data, "folders", ferplus)
    split = load_split(data, "train", size=48)
    assert split.votes.tolist() == [votes_for(number) for number in range(16)]
    assert split.class_names == CLASS_ORDER


def test_the_folder_above_is_found_too(ferplus, data, tmp_path):
    (tmp_path / "FERPlus").mkdir()
    ferplus.rename(tmp_path / "FERPlus/data")
    _, _, found = set_up_and_read(data, "folders", tmp_path / "FERPlus")
    assert found["data/FER2013Train/fer0000003.png"] == ("train", "sad")


def test_most_votes_for_unknown_or_no_face_are_skipped(ferplus, data):
    change(ferplus, 0, 'fer0000000.png,"(0, 0, 48, 48)",1,0,0,0,0,0,0,0,9,0')
    change(ferplus, 1, 'fer0000001.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,10')
    change(ferplus, 2, 'fer0000002.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,0')
    summary, _, found = set_up_and_read(data, "folders", ferplus)
    assert len(found) == 29
    assert "Skipped by label: 1 no face, 1 no votes, 1 unknown." in format_image_summary(summary)


def test_equal_votes_are_for_the_first_class(ferplus, data):
    change(ferplus, 0, 'fer0000000.png,"(0, 0, 48, 48)",0,0,0,5,5,0,0,0,0,0')
    assert set_up_and_read(data, "folders", ferplus)[2]["FER2013Train/fer0000000.png"][1] == "sad"


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("fer0000000.png,1,2", r"expected an image, a box and 10 numbers of votes"),
        ("fer0000000.png,box,1,2,3,4,5,6,7,8,9,ten", r"expected an image, a box and 10 numbers"),
        ("fer0000099.png,box,1,2,3,4,5,6,7,8,9,0", r"the image does not exist"),
        ("fer0000001.png,box,1,2,3,4,5,6,7,8,9,0", r"listed twice"),
    ],
)
def test_bad_lines(ferplus, data, line, match):
    change(ferplus, 0, line)
    expected = rf"1 bad lines in label.csv, the first: .*label.csv line \d+, .*{match}"
    assert "\n" not in assert_refused(expected, data, "folders", ferplus)


def test_the_repository_without_images(ferplus, data):
    for path in (ferplus / "FER2013Valid").glob("*.png"):
        path.unlink()
    assert_refused(r"FER2013Valid: label.csv, but no images; write them", data, "folders", ferplus)


def test_images_that_are_not_listed_are_reported(ferplus, data, faces):
    faces.write(ferplus / "FER2013Test/fer0000099.png")
    (ferplus / "FER2013Test/notes.txt").write_text("ours")
    summary = set_up_and_read(data, "folders", ferplus)[0]
    assert f"1 images in {ferplus / 'FER2013Test'} are not in label.csv." in summary["warnings"]
    assert any("files that are not images" in warning for warning in summary["warnings"])


def test_eight_class_folders(source, data, faces):
    """The dataset arnabkumarroy02/ferplus; one of its folders may be misspelled."""
    folders = ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "suprise")
    counts = {"train": 3, "validation": 2, "test": 1}
    write_tree(
        source,
        [
            f"{part}/{folder}/fer{index:07d}.png"
            for part, count in counts.items()
            for folder in folders
            for index in range(count)
        ],
        faces,
    )
    summary, manifest, found = set_up_and_read(data, "folders", source)
    assert manifest.class_names == CLASS_ORDER
    assert found["validation/suprise/fer0000001.png"] == ("val", "surprise")
    assert {name: split["rows"] for name, split in summary["splits"].items()} == {
        "train": 24, "val": 16, "test": 8,
    }  # fmt: skip
    assert not any("separate class" in warning for warning in summary["warnings"])
