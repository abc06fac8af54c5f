"""Duplicates in datasets of image folders: marking, and drawing splits with groups together."""

import cv2
import pytest

from generate_data import setup_image_folders
from generate_data.copies import find_in_files
from generate_data.summary import format_image_summary
from tests.support.image_datasets import set_up_and_read, write_tree


def test_copies_are_marked_and_stay_on_one_side(source, data, faces):
    images = [next(faces.images) for _ in range(32)]
    for number, image in enumerate(images):
        brighter = cv2.convertScaleAbs(image, alpha=0.8, beta=20)
        name = "happy" if number % 2 else "sad"
        faces.write(source / f"train/{name}/{number:02d}a.png", image, size=(96, 96))
        faces.write(source / f"train/{name}/{number:02d}b.png", brighter, size=(80, 80))
    faces.write(source / "test/happy/exact.png", images[3], size=(96, 96))
    faces.write(source / "test/happy/near.png", cv2.convertScaleAbs(images[5], alpha=0.9, beta=-5))
    faces.write(source / "test/happy/new.png")
    for seed in range(3):
        _, manifest, found = set_up_and_read(data, "folders", source, seed=seed)
        sides = [
            {found[f"train/{'happy' if n % 2 else 'sad'}/{n:02d}{which}.png"][0] for which in "ab"}
            for n in range(32)
        ]
        assert all(len(side) == 1 for side in sides)
        assert sum(side == {"val"} for side in sides) == 4
        table = manifest.table.set_index(manifest.table["path"].str.rsplit("/", n=1).str[-1])
        assert table.loc["new.png", "copy_kind"] == ""
        if found["train/happy/03a.png"][0] == "train":
            row = table.loc["exact.png"]
            assert row["copy_kind"] == "exact"
            assert row["copy_of"] == table.loc["03a.png", "source_row"]
        if found["train/happy/05a.png"][0] == "train":
            assert table.loc["near.png", "copy_kind"] == "near"
            assert (
                table.loc["near.png", "copy_of"]
                in table.loc[["05a.png", "05b.png"], "source_row"].tolist()
            )


def test_drawn_splits_keep_copies_on_one_side(source, data, faces):
    for number in range(32):
        image = next(faces.images)
        for which in "abc":
            faces.write(
                source / ("happy" if number % 2 else "sad") / f"{number:02d}{which}.png", image
            )
    found = set_up_and_read(data, "folders", source)[2]
    sides = {}
    for path, (split, _) in found.items():
        sides.setdefault(path[-7:-5], set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert {split for side in sides.values() for split in side} == {"train", "val", "test"}


@pytest.mark.parametrize("bad", [False, True])
def test_many_images_are_searched_for_exact_copies_only(source, data, faces, monkeypatch, bad):
    for module in (find_in_files, setup_image_folders):
        monkeypatch.setattr(module, "MOST", 5)
    image = next(faces.images)
    write_tree(source, ["train/happy/1.png", "test/happy/2.png", "test/happy/3.png"], faces)
    faces.write(source / "train/sad/0.png", image)
    faces.write(source / "test/sad/exact.png", image)
    faces.write(source / "test/sad/near.png", cv2.convertScaleAbs(image, alpha=0.9))
    if bad:  # six images are listed, five are good
        (source / "test/happy/3.png").write_bytes(b"")
    summary, manifest, _ = set_up_and_read(data, "folders", source, skip_bad_rows=bad)
    kinds = manifest.table.set_index(manifest.table["path"].str.rsplit("/", n=1).str[-1])[
        "copy_kind"
    ]
    assert kinds["near.png"] == ""
    assert kinds["exact.png"] == "exact"
    assert "Near-duplicates were not searched: more than 5 images." in format_image_summary(summary)


def test_film_frames_are_searched_for_exact_copies_only(source, data, faces, monkeypatch):
    monkeypatch.setattr(find_in_files, "SAMPLE", 20)
    monkeypatch.setattr(find_in_files, "MOST_PAIRS", 100)
    image = next(faces.images)
    for number in range(40):
        faces.write(
            source / ("happy" if number % 2 else "sad") / f"{number}.png",
            cv2.add(image, number % 20),
        )
    summary = set_up_and_read(data, "folders", source)[0]
    assert "too many images resemble each other" in format_image_summary(summary)
    assert summary["splits"]["val"]["rows"] == 4


def test_one_group_of_copies_leaves_val_short(source, data, faces):
    image = next(faces.images)
    for number in range(40):
        faces.write(
            source / ("happy" if number % 2 else "sad") / f"{number}.png", cv2.add(image, number)
        )
    summary = set_up_and_read(data, "folders", source)[0]
    assert "Warning: val has 0 images, far fewer than an eighth" in format_image_summary(summary)
