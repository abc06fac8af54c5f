"""The reader of any tree of class folders, and the names of classes."""

from collections import Counter

import pytest

from generate_data.labels import expression_of, sort_classes
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
