"""The reader of any tree of class folders, and the names of classes."""

from collections import Counter

import numpy as np
import pytest

from generate_data.labels import CLASS_ORDER, expression_of, sort_classes
from generate_data.splits import join_persons
from generate_data.summary import format_image_summary
from tests.support.image_datasets import assert_refused, set_up_and_read, write_tree


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Anger", "angry"),
        ("happiness", "happy"),
        ("JOY", "happy"),
        ("afraid", "fear"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("sadness", "sad"),
        ("surprised", "surprise"),
        ("neutrality", "neutral"),
        ("aia_anger", "angry"),
        ("01-neutral", "neutral"),
        ("2 Contempt", "contempt"),
        ("angry_people", None),
        ("boredom", None),
        ("3", None),
        ("", None),
    ],
)
def test_names_of_class_folders(folder, name):
    assert expression_of(folder) == name


def test_order_of_classes():
    assert sort_classes({"zeal", "neutral", "contempt", "awe", "angry"}) == (
        "angry",
        "neutral",
        "contempt",
        "awe",
        "zeal",
    )


def test_tree_with_splits(source, data, faces):
    names = [
        f"Training/{name}/{number}.png" for name in ("happy", "Sadness") for number in range(8)
    ]
    write_tree(
        source,
        [*names, "PrivateTest/happy/1.png", "PublicTest/happy/1.png", "more/happy/2.png"],
        faces,
    )
    summary, manifest, found = set_up_and_read(data, "folders", source)
    assert manifest.class_names == ("happy", "sad")
    assert found["PrivateTest/happy/1.png"] == ("test", "happy")
    assert found["PublicTest/happy/1.png"] == ("val", "happy")
    assert found["Training/Sadness/3.png"] == ("train", "sad")
    assert "more/happy/2.png" not in found
    assert summary["val_from"] == "source"
    assert "Warning: 1 images outside the split folders were ignored." in format_image_summary(
        summary
    )


def test_tree_with_splits_below_classes(source, data, faces):
    write_tree(
        source,
        ["happy/train/1.png", "sad/train/1.png", "sad/test/2.png", "happy/test/2.png"],
        faces,
    )
    assert set_up_and_read(data, "folders", source)[2]["sad/test/2.png"] == ("test", "sad")


def test_tree_without_splits_is_drawn(source, data, faces):
    write_tree(
        source,
        [
            f"{who}/{who}_{name}/{n}.png"
            for who in ("aia", "ray")
            for name in ("anger", "joy")
            for n in range(16)
        ],
        faces,
    )
    summary, manifest, found = set_up_and_read(data, "folders", source)
    assert manifest.class_names == ("angry", "happy")
    assert Counter(found.values()) == {
        ("train", "angry"): 24, ("train", "happy"): 24, ("val", "angry"): 4, ("val", "happy"): 4,
        ("test", "angry"): 4, ("test", "happy"): 4,
    }  # fmt: skip
    assert set(manifest.table["source_label"]) == {"aia_anger", "aia_joy", "ray_anger", "ray_joy"}
    assert summary["val_from"] == "all"
    assert "val and test are each a random eighth of all images (seed 0)" in format_image_summary(
        summary
    )
    other = set_up_and_read(data, "folders", source, seed=1)[2]
    assert other != found
    assert {path: name for path, (_, name) in other.items()} == {
        path: name for path, (_, name) in found.items()
    }


def test_unknown_name_is_a_class_of_its_own(source, data, faces):
    names = ["contempt/1.png", "Boredom/s1/2.png", "anger/s1/3.png", "awe/4.png"]
    write_tree(source, names, faces)
    summary, manifest, found = set_up_and_read(data, "folders", source)
    assert manifest.class_names == ("angry", "contempt", "awe", "boredom")
    assert found["Boredom/s1/2.png"][1] == "boredom"
    assert (
        "Warning: awe, boredom are not known expressions, so they are separate classes"
        in format_image_summary(summary)
    )


def test_folder_of_digits_is_ambiguous(source, data, faces):
    write_tree(source, ["train/1/1.png", "train/2/1.png"], faces)
    match = (
        r"the class folder '1' of train/1/1.png is a number.*"
        r"--dataset affectnet for 0 to 7.*--dataset rafdb for 1 to 7"
    )
    assert "\n" not in assert_refused(match, data, "folders", source)


def test_digits_below_a_class_are_none(source, data, faces):
    write_tree(source, ["happy/001/1.png", "sad/002/1.png"], faces)
    assert set_up_and_read(data, "folders", source)[1].class_names == ("happy", "sad")


def test_one_class_only(source, data, faces):
    write_tree(source, ["happy/1.png", "joy/2.png"], faces)
    assert_refused(
        r"one class only, happy, expected at least two class folders", data, "folders", source
    )


def test_image_in_no_class_folder(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/2.png", "cover.png"], faces)
    assert_refused(
        r"1 images outside any class folder, the first: .*cover.png", data, "folders", source
    )
    assert len(set_up_and_read(data, "folders", source, skip_bad_rows=True)[2]) == 2


def test_links_in_a_circle_end(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/2.png"], faces)
    (source / "sad/again").symlink_to(source, target_is_directory=True)
    assert len(set_up_and_read(data, "folders", source)[2]) == 2


def test_hidden_files_are_none_of_it(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/2.png"], faces)
    (source / "happy/._1.png").write_bytes(b"macOS")
    (source / "happy/Thumbs.db").write_bytes(b"Windows")
    assert len(set_up_and_read(data, "folders", source)[2]) == 2


# ---- CK+ ----

CK48 = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


def ck48(persons=56, frames=3):
    """The paths of CK+48: each person shows two expressions, in three frames each."""
    return [
        f"CK+48/{CK48[(person + sequence) % 7]}/S{person:03d}_{sequence + 1:03d}_{frame:08d}.png"
        for person in range(persons)
        for sequence in (0, 3)
        for frame in range(14, 14 + frames)
    ]


def sides(found):
    """The splits of each person."""
    splits = {}
    for path, (split, _) in found.items():
        splits.setdefault(path.rsplit("/", 1)[1].partition("_")[0], set()).add(split)
    return splits


def test_ck48_is_split_by_person(source, data, faces):
    write_tree(source, ck48(), faces)
    summary, manifest, found = set_up_and_read(data, "folders", source)
    assert manifest.class_names == tuple(name for name in CLASS_ORDER if name != "neutral")
    assert found["CK+48/anger/S000_001_00000014.png"][1] == "angry"
    assert found["CK+48/contempt/S001_001_00000014.png"][1] == "contempt"
    splits = sides(found)
    assert len(splits) == 56
    assert all(len(found_in) == 1 for found_in in splits.values())
    counts = Counter(split for split, _ in found.values())
    assert sum(counts.values()) == 336
    assert 24 <= counts["val"] <= 42
    assert 24 <= counts["test"] <= 42
    text = format_image_summary(summary)
    assert "with duplicates and each of the 56 persons kept in one split." in text
    assert set_up_and_read(data, "folders", source)[2] == found
    assert set_up_and_read(data, "folders", source, seed=1)[2] != found


def test_ck48_with_split_folders_draws_val_by_person_and_reports_shared_persons(
    source, data, faces
):
    paths = ck48()
    write_tree(source, [f"train/{path}" for path in paths[:-6]], faces)
    write_tree(source, [f"test/{path}" for path in [*paths[-6:], paths[0]]], faces)
    summary, _, found = set_up_and_read(data, "folders", source)
    splits = sides(found)
    assert [person for person, found_in in splits.items() if len(found_in) > 1] == ["S000"]
    assert any(
        warning.startswith("1 persons are in more than one split, the first: S000.")
        for warning in summary["warnings"]
    )


def test_groups_that_share_a_person_are_joined():
    groups = np.array([0, 0, 2, 3, 3, 5, 6])
    joined = join_persons(groups, ["a", "", "b", "b", "", "", "a"]).tolist()
    assert joined[0] == joined[1] == joined[6]
    assert joined[2] == joined[3] == joined[4]
    assert len(set(joined)) == 3
    assert join_persons(groups, [""] * 7) is groups
