"""Bad input: each case raises one DataError that names file and row, and leaves no files."""

import errno

import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.images import output_folder
from generate_data.manifest import read_manifest
from generate_data.setup_fer2013 import format_summary, set_up
from tests.support.kaggle_files import (
    csv_text,
    rows_of,
    smooth_images,
    tar_file,
    usages_for,
    write_icml_csv,
    write_test_csv,
    write_train_csv,
    zip_file,
)

IMAGES = smooth_images(24)


def refuses(folder, match, **options):
    """Set-up raises a DataError that matches, and leaves the folder as it was."""
    before = sorted(path.name for path in folder.iterdir()) if folder.exists() else None
    with pytest.raises(DataError, match=match) as raised:
        set_up(folder, progress=False, **options)
    after = sorted(path.name for path in folder.iterdir()) if folder.exists() else None
    assert before == after
    return str(raised.value)


def spoil(tmp_path, row, **fields):
    """A train.csv with some fields of one row replaced."""
    rows = rows_of(IMAGES)
    rows[row] |= fields
    (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))


def test_missing_folder(tmp_path):
    refuses(tmp_path / "nowhere", r"nowhere: no such folder.*--sample")


def test_missing_source(tmp_path):
    refuses(tmp_path, r"nothing.csv: no such.*file", source=tmp_path / "nothing.csv")


def test_folder_is_a_file(tmp_path):
    source = write_train_csv(tmp_path / "train.csv", IMAGES)
    with pytest.raises(DataError, match="not a folder"):
        set_up(source, progress=False)


def test_no_csv(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    refuses(
        tmp_path,
        r"no Kaggle CSV in it, looked for train.csv, icml_face_data.csv or fer2013.csv.*--sample",
    )


def test_example_submission_alone(tmp_path):
    (tmp_path / "example_submission.csv").write_text("id,emotion\n1,0\n")
    refuses(tmp_path, "no Kaggle CSV in it")


def test_test_csv_alone(tmp_path):
    write_test_csv(tmp_path / "test.csv", IMAGES)
    refuses(tmp_path, r"test.csv: has no labels.*put train.csv next to it")


def test_empty_csv(tmp_path):
    (tmp_path / "train.csv").write_bytes(b"")
    refuses(tmp_path, r"train.csv: the file is empty")


def test_header_only(tmp_path):
    (tmp_path / "train.csv").write_text("emotion,pixels\n")
    refuses(tmp_path, r"train.csv: a header and no rows")


def test_wrong_header(tmp_path):
    (tmp_path / "train.csv").write_text(
        csv_text(rows_of(IMAGES), ("emotion", "pixels"), header="label,image")
    )
    refuses(tmp_path, r"train.csv: wrong header 'label,image', expected emotion,pixels")


def test_no_header(tmp_path):
    text = csv_text(rows_of(IMAGES), ("emotion", "pixels")).split("\n", 1)[1]
    (tmp_path / "train.csv").write_text(text)
    refuses(tmp_path, r"train.csv: (wrong header|not a CSV)")


def test_wrong_test_csv_is_not_passed_over(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES)
    (tmp_path / "test.csv").write_bytes(b"")
    refuses(tmp_path, r"test.csv: the file is empty")


def test_not_a_csv(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(bytes(range(256)) * 100)
    refuses(tmp_path, r"fer2013.csv: not a CSV file: it begins with")


def test_web_page_in_place_of_the_file(tmp_path):
    (tmp_path / "train.csv").write_text("<!DOCTYPE html>\n<html>log in</html>\n")
    refuses(tmp_path, r"train.csv: wrong header '<!doctype html>'")


@pytest.mark.parametrize("keep", [0, 40, 0.5, 0.98])
def test_truncated_zip(tmp_path, keep):
    csv = write_train_csv(tmp_path / "train.csv", IMAGES).read_bytes()
    (tmp_path / "train.csv").unlink()
    path = zip_file(tmp_path / "train.csv.zip", {"train.csv": csv})
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    refuses(tmp_path, r"train.csv.zip: the archive is broken or cut short.*download it again")


def test_zip_with_damage_inside(tmp_path):
    csv = write_train_csv(tmp_path / "train.csv", IMAGES).read_bytes()
    (tmp_path / "train.csv").unlink()
    path = zip_file(tmp_path / "train.csv.zip", {"train.csv": csv})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    refuses(
        tmp_path, r"train.csv.zip: train.csv: the archive is broken or cut short|train.csv row \d+"
    )


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.95])
def test_truncated_tar(tmp_path, keep):
    csv = write_icml_csv(tmp_path / "x.csv", IMAGES, usages_for(24)).read_bytes()
    (tmp_path / "x.csv").unlink()
    path = tar_file(tmp_path / "fer2013.tar.gz", {"fer2013/fer2013.csv": csv})
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    refuses(tmp_path, r"fer2013.tar.gz.*the archive is broken or cut short")


def test_broken_archive_beside_a_good_file_is_only_mentioned(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES)
    (tmp_path / "fer2013.tar.gz").write_bytes(b"broken")
    summary = set_up(tmp_path, progress=False)
    assert "fer2013.tar.gz: the archive is broken" in format_summary(summary)


BAD_ROWS = {
    "short": ({"pixels": " ".join(["1"] * 2303)}, r"2303 pixels, expected 2304 \(48x48\)"),
    "long": ({"pixels": " ".join(["1"] * 2305)}, r"2305 pixels, expected 2304"),
    "other size": ({"pixels": " ".join(["1"] * 64 * 64)}, r"4096 pixels, expected 2304"),
    "letters": (
        {"pixels": " ".join(["12"] * 2303 + ["abc"])},
        r"pixel 'abc' is not a whole number, expected 0 to 255",
    ),
    "fraction": (
        {"pixels": " ".join(["1"] * 2303 + ["1.5"])},
        r"pixel '1.5' is not a whole number",
    ),
    "negative": ({"pixels": " ".join(["1"] * 2303 + ["-5"])}, r"pixel '-5' is a negative value"),
    "over 255": ({"pixels": " ".join(["256"] + ["1"] * 2303)}, r"pixel '256' is over 255"),
    "four digits": ({"pixels": " ".join(["1"] * 2303 + ["1234"])}, r"pixel '1234' is over 255"),
    "four digits first": (
        {"pixels": " ".join(["1234"] + ["1"] * 2303)},
        r"pixel '1234' is over 255",
    ),
    "no pixels": ({"pixels": ""}, r"no pixels"),
    "label 7": ({"emotion": "7"}, r"label '7', expected 0 to 6"),
    "label -1": ({"emotion": "-1"}, r"label '-1', expected 0 to 6"),
    "label word": ({"emotion": "glad"}, r"label 'glad', expected 0 to 6"),
    "no label": ({"emotion": ""}, r"label '', expected 0 to 6"),
    "extra field": ({"emotion": "1,2"}, r"3 fields, expected 2 \(emotion, pixels\)"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
@pytest.mark.parametrize("row", [0, 5, 23])
def test_bad_row(tmp_path, kind, row):
    fields, match = BAD_ROWS[kind]
    spoil(tmp_path, row, **fields)
    refuses(tmp_path, rf"train.csv row {row} \(line {row + 2}\): {match}.*--skip-bad-rows")


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_row_is_skipped_on_request(tmp_path, kind):
    spoil(tmp_path, 5, **BAD_ROWS[kind][0])
    summary = set_up(tmp_path, skip_bad_rows=True, progress=False)
    assert summary["skipped_rows"] == 1
    assert summary["rows"] == 23
    assert "Dropped 1 bad row" in format_summary(summary)
    names = sorted(path.name for path in (tmp_path / summary["images"]).iterdir())
    assert names == [f"train-{row:05d}.png" for row in range(24) if row != 5]


def test_blank_row(tmp_path):
    lines = csv_text(rows_of(IMAGES), ("emotion", "pixels")).splitlines()
    lines.insert(4, "")
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    refuses(tmp_path, r"train.csv row 3 \(line 5\): a blank row")


def test_row_of_a_comma_only_is_blank(tmp_path):
    spoil(tmp_path, 2, emotion="", pixels="")
    refuses(tmp_path, r"train.csv row 2 \(line 4\): a blank row")


def test_two_rows_on_one_line_are_not_torn_apart_silently(tmp_path):
    rows = rows_of(IMAGES)  # together they have the right number of pixels for two rows
    words = rows[3]["pixels"].split() + rows[4]["pixels"].split()
    rows[3]["pixels"], rows[4]["pixels"] = " ".join(words[:2000]), " ".join(words[2000:])
    (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))
    refuses(
        tmp_path, r"(?s)2 bad rows.*row 3 \(line 5\): 2000 pixels.*row 4 \(line 6\): 2608 pixels"
    )


def test_unknown_usage(tmp_path):
    usages = usages_for(20, 4)
    usages[7] = "Trainig"
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, usages)
    refuses(
        tmp_path,
        r"row 7 \(line 9\): unknown Usage 'Trainig', expected Training, PublicTest, PrivateTest",
    )


def test_only_evaluation_rows_are_a_dataset_to_evaluate_on(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, usages_for(0, 12, 12))
    set_up(tmp_path, progress=False)
    manifest = read_manifest(tmp_path)
    assert set(manifest.table["split"]) == {"val", "test"}
    assert set(manifest.split("test")["copy_kind"]) == {""}
    with pytest.raises(DataError, match="no rows in split 'train', this dataset has val, test"):
        manifest.split("train")


def test_many_bad_rows_are_counted_and_twenty_shown(tmp_path):
    rows = rows_of(smooth_images(60))
    for row in range(30):
        rows[2 * row]["emotion"] = "9"
    (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))
    text = refuses(
        tmp_path,
        r"train.csv: 30 bad rows; fix them, or drop them with --skip-bad-rows. The first 20:",
    )
    assert len(text.splitlines()) == 21
    assert "row 38 (line 40)" in text
    assert "row 40 (line 42)" not in text


def test_all_rows_bad(tmp_path):
    rows = rows_of(IMAGES, labels=[9] * 24)
    (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))
    refuses(tmp_path, r"all 24 rows are bad", skip_bad_rows=True)


def test_unusual_but_right_pixels_are_read(tmp_path):
    """Two spaces, leading zeros and tabs are no reason to refuse a row."""
    rows = rows_of(IMAGES)
    words = rows[2]["pixels"].split()
    rows[2]["pixels"] = (
        " " + "  ".join(word.zfill(3) for word in words[:100]) + "\t" + " ".join(words[100:])
    )
    (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))
    from generate_data.images.png import load_images

    summary = set_up(tmp_path, progress=False)
    image = load_images([tmp_path / summary["images"] / "train-00002.png"])[0, ..., 0]
    np.testing.assert_array_equal(image, IMAGES[2])


@pytest.mark.parametrize(
    ("number", "match"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EACCES, "no permission to write"),
        (errno.EIO, "Nothing was"),
    ],
)
def test_a_disk_that_refuses(tmp_path, monkeypatch, number, match):
    """The eleventh image cannot be written."""
    calls = []

    def open_ten(path, *arguments, **options):
        calls.append(path)
        if len(calls) > 10:
            raise OSError(number, "refused")
        return open(path, *arguments, **options)

    data = tmp_path / "data"
    data.mkdir()
    write_train_csv(data / "train.csv", IMAGES)
    monkeypatch.setattr(output_folder, "open", open_ten, raising=False)
    refuses(data, match)


def test_no_permission_for_the_work_folder(tmp_path, monkeypatch):
    write_train_csv(tmp_path / "train.csv", IMAGES)

    def mkdir(self, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", mkdir)
    refuses(tmp_path, r"no permission to write; choose another folder with -d")
