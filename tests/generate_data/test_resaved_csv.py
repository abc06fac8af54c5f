"""FER2013's files as pandas, Excel and others save them again; and CK+ as such a file."""

import gzip
import tarfile

import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.images.png import load_images
from generate_data.labels import CLASS_ORDER
from generate_data.manifest import read_manifest
from generate_data.setup_fer2013 import set_up
from tests.support.kaggle_files import (
    CLASS_NAMES,
    csv_text,
    pixel_text,
    rows_of,
    smooth_images,
    usages_for,
    write_class_folders,
    write_fer2013_csv,
    write_ferplus_csv,
    write_icml_csv,
    write_test_csv,
    write_train_csv,
    zip_file,
)

IMAGES = smooth_images(42)
USAGES = usages_for(28, 7, 7)
COLUMNS = ("emotion", "pixels", "Usage")


def check(folder, class_names=CLASS_NAMES):
    """The dataset holds IMAGES with labels 0 to 6 in turn, 28 + 7 + 7 rows."""
    manifest = read_manifest(folder)
    assert manifest.class_names == class_names
    images = load_images([folder / path for path in manifest.table["path"]])
    np.testing.assert_array_equal(images[..., 0], IMAGES)
    assert manifest.table["label"].tolist() == [index % 7 for index in range(42)]
    assert manifest.table["split"].tolist() == ["train"] * 28 + ["val"] * 7 + ["test"] * 7
    assert manifest.table["source_row"].tolist() == list(range(42))


def changed(**change):
    """The rows of IMAGES, with each field changed by the function of that name."""
    rows = rows_of(IMAGES, None, USAGES)
    for row in rows:
        row.update({name: function(row[name]) for name, function in change.items()})
    return rows


def joined(separator, rows, columns=COLUMNS, header=None):
    lines = [separator.join(header or columns)]
    lines += [separator.join(row[name] for name in columns) for row in rows]
    return "\n".join(lines) + "\n"


def with_index(rows):
    return [row | {"": str(index)} for index, row in enumerate(rows)]


def quoted_list(text):
    return f'"[{text.replace(" ", ", ")}]"'


def fractions(digits):
    return lambda text: " ".join(f"{int(word) / 255:.{digits}g}" for word in text.split())


TEXTS = {
    "an index, as by pandas": joined(",", with_index(changed()), ("", *COLUMNS)),
    "an index called Unnamed: 0": joined(
        ",", with_index(changed()), ("", *COLUMNS), ("Unnamed: 0", *COLUMNS)
    ),
    "a column more": joined(
        ",", [row | {"name": "a b"} for row in changed()], ("emotion", "name", "Usage", "pixels")
    ),
    "empty columns more": joined(
        ",", [row | {"": ""} for row in changed()], (*COLUMNS, "", "")
    ),
    "usage in lower case": joined(",", changed(Usage=str.lower)),
    "usage in upper case": joined(",", changed(Usage=str.upper)),
    "usage as split": joined(
        ",",
        changed(Usage={"Training": "train", "PublicTest": "val", "PrivateTest": "test"}.get),
    ),
    "labels as floats": joined(",", changed(emotion=lambda label: f"{label}.0")),
    "labels as names": joined(",", changed(emotion=lambda label: CLASS_NAMES[int(label)])),
    "labels as other names": joined(
        ",",
        changed(
            emotion=lambda label: (
                "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral",
            )[int(label)]
        ),
    ),
    "pixels as a list": joined(",", changed(pixels=quoted_list)),
    "pixels as an array": joined(",", changed(pixels=lambda text: f"[[{text}]]")),
    "pixels as floats": joined(",", changed(pixels=lambda text: text.replace(" ", ".0 ") + ".0")),
    "pixels from 0 to 1": joined(",", changed(pixels=fractions(4))),
    "semicolons": joined(";", changed()),
    "semicolons, commas in the list": joined(
        ";", changed(pixels=lambda text: f"[{text.replace(' ', ', ')}]")
    ),
    "tabs": joined("\t", changed()),
    "tabs and an index": joined("\t", with_index(changed()), ("", *COLUMNS)),
    "blank last lines": joined(",", changed()) + "\n\n  \n\n",
    "blank last rows of Excel": joined(";", changed()) + ";;\n" * 5,
    "all of it": joined(
        ";",
        with_index(
            changed(
                emotion=lambda label: f"{label}.0",
                pixels=quoted_list,
                Usage=lambda usage: f" {usage.lower()} ",
            )
        ),
        ("", *COLUMNS),
    )
    + "\n\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
def test_saved_again(tmp_path, kind):
    (tmp_path / "fer2013.csv").write_text(TEXTS[kind])
    set_up(tmp_path, progress=False)
    check(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_encodings(tmp_path, encoding, separator):
    (tmp_path / "fer2013.csv").write_bytes(joined(separator, changed()).encode(encoding))
    set_up(tmp_path, progress=False)
    check(tmp_path)


@pytest.mark.parametrize("name", ["fer2013.csv.gz", "fer2013.gz", "train.csv"])
def test_gzip_under_any_name(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(joined(",", changed()).encode()))
    set_up(tmp_path, progress=False)
    check(tmp_path)
    assert (tmp_path / read_manifest(tmp_path).table["path"][0]).name.endswith("-00000.png")


@pytest.mark.parametrize("name", ["fer2013.zip", "fer2013.gz", "fer2013", "fer2013.csv"])
@pytest.mark.parametrize("compression", ["", "gz", "bz2"])
def test_a_tar_under_another_name(tmp_path, name, compression):
    csv = write_fer2013_csv(tmp_path / "content", IMAGES, USAGES)
    with tarfile.open(tmp_path / name, f"w:{compression}") as archive:
        archive.add(csv, "fer2013/fer2013.csv")
    set_up(tmp_path / "data", source=tmp_path / name, progress=False)
    check(tmp_path / "data")


def test_a_zip_under_another_name(tmp_path):
    csv = write_icml_csv(tmp_path / "x.csv", IMAGES, USAGES).read_bytes()
    zip_file(tmp_path / "fer2013.tar.gz", {"icml_face_data.csv": csv})
    set_up(tmp_path / "data", source=tmp_path / "fer2013.tar.gz", progress=False)
    check(tmp_path / "data")


def test_text_files_in_a_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("where this is from")
    (tmp_path / "fer.tsv").write_text(TEXTS["tabs"])
    assert set_up(tmp_path, progress=False)["taken"] == ["fer.tsv"]
    check(tmp_path)


def test_blank_last_lines_of_more_than_one_packet(tmp_path, monkeypatch):
    monkeypatch.setattr("generate_data.readers.kaggle_csv.PACKET", 20_000)
    (tmp_path / "fer2013.csv").write_text(joined(",", changed()) + "\n" * 90_000)
    set_up(tmp_path, progress=False)
    check(tmp_path)


def test_blank_last_lines_do_not_disturb_the_votes(tmp_path):
    (tmp_path / "fer2013.csv").write_text(TEXTS["blank last lines"])
    votes = write_ferplus_csv(tmp_path / "votes.txt", USAGES)
    assert set_up(tmp_path, ferplus=votes, progress=False)["votes"] is True
    check(tmp_path)


def test_train_and_test_with_an_index(tmp_path):
    rows = with_index(rows_of(IMAGES))
    (tmp_path / "train.csv").write_text(joined(",", rows[:32], ("", "emotion", "pixels")))
    (tmp_path / "test.csv").write_text(joined(",", rows[32:], ("", "pixels")))
    set_up(tmp_path, progress=False)
    splits = read_manifest(tmp_path).table["split"].value_counts().to_dict()
    assert splits == {"train": 28, "val": 4, "unlabelled": 10}


def test_a_test_file_with_an_index_beside_kaggles_train_file(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES[:32])
    rows = with_index(rows_of(IMAGES[32:]))
    (tmp_path / "test.csv").write_text(joined(",", rows, ("", "pixels")))
    set_up(tmp_path, progress=False)
    assert len(read_manifest(tmp_path).split("unlabelled")) == 10


# ---- what was read before is read as before ----


def test_kaggles_files_come_before_those_saved_again(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES[:32])
    write_test_csv(tmp_path / "test.csv", IMAGES[32:])
    (tmp_path / "all.csv").write_text(TEXTS["a column more"])
    (tmp_path / "fer2013.csv.gz").write_bytes(gzip.compress(joined(",", changed()).encode()))
    (tmp_path / "saved.tsv").write_text(TEXTS["tabs"])
    assert set_up(tmp_path, progress=False)["taken"] == ["train.csv", "test.csv"]


def test_class_folders_come_before_files_saved_again(tmp_path):
    write_class_folders(tmp_path, IMAGES[:8], [f"train/happy/{index}.png" for index in range(8)])
    (tmp_path / "all.csv").write_text(TEXTS["a column more"])
    assert set_up(tmp_path, progress=False)["rows"] == 8


# ---- what is lost ----


def cut_cells(count):
    """Rows whose pixels have as many digits as Excel cannot keep; the first ones are cut off."""
    rows = changed(pixels=fractions(15))
    for row in rows[:count]:
        row["pixels"] = row["pixels"][:32_767]
    assert len(rows[0]["pixels"]) == 32_767
    return rows


@pytest.mark.parametrize("count", [1, 3, 42])
def test_cells_that_excel_cut_off_get_one_line(tmp_path, count):
    (tmp_path / "fer2013.csv").write_text(joined(",", cut_cells(count)))
    with pytest.raises(DataError) as caught:
        set_up(tmp_path, progress=False)
    assert str(caught.value) == (
        f"fer2013.csv: {count} of its cells: each was cut off at 32,767 characters, the most that "
        "Excel keeps in a cell, the first in fer2013.csv row 0 (line 2); download the file again "
        "and do not save it with Excel, or drop these rows with --skip-bad-rows."
    )


def test_rows_that_excel_cut_off_can_be_dropped(tmp_path):
    (tmp_path / "fer2013.csv").write_text(joined(",", cut_cells(3)))
    summary = set_up(tmp_path, skip_bad_rows=True, progress=False)
    assert (summary["rows"], summary["skipped_rows"]) == (39, 3)


def test_pixels_that_numpy_replaced_by_dots(tmp_path):
    rows = changed(pixels=lambda text: f"[{text[:20]} ... {text[-20:]}]")
    (tmp_path / "fer2013.csv").write_text(joined(",", rows))
    with pytest.raises(DataError, match=r"replaced most pixels by '...'"):
        set_up(tmp_path, progress=False)


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        (" ".join(["1.0"] * 2303 + ["1.5"]), r"pixel '1.5' is not a whole number"),
        (" ".join(["1.0"] * 2303 + ["-3.0"]), r"pixel '-3' is a negative value"),
        (" ".join(["0.5"] * 2304), r"pixel '0.5' is not a whole number"),
        (" ".join(["1.0"] * 2303 + ["nan"]), r"pixel '1.0' is not a whole number"),
        (" ".join(["1.0"] * 2303 + ["inf"]), r"pixel '1.0' is not a whole number"),
        (" ".join(["1.0"] * 2303 + ["1e300"]), r"is over 255"),
        (quoted_list(" ".join(["7"] * 2303)), r"2303 pixels, expected 2304"),
    ],
)
def test_pixels_that_are_none_in_any_notation(tmp_path, pixels, match):
    rows = rows_of(IMAGES)
    rows[5]["pixels"] = pixels
    (tmp_path / "train.csv").write_text(joined(",", rows, ("emotion", "pixels")))
    with pytest.raises(DataError, match=rf"train.csv row 5 \(line 7\): .*{match}"):
        set_up(tmp_path, progress=False)


def test_an_excel_workbook_gets_one_line(tmp_path):
    zip_file(tmp_path / "fer2013.xlsx", {"xl/workbook.xml": b"", "xl/worksheets/sheet1.xml": b""})
    with pytest.raises(DataError, match=r"fer2013.xlsx: an Excel workbook; save it as CSV"):
        set_up(tmp_path, progress=False)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_csv_with_gzip_gets_one_line(tmp_path, keep):
    content = gzip.compress(joined(",", changed()).encode())
    (tmp_path / "fer2013.csv.gz").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match=r"fer2013.csv.gz: the archive is broken or cut short"):
        set_up(tmp_path, progress=False)


# ---- the zip of class folders ----


def class_zip(path, folder, root=""):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    content = {f"{root}{file.relative_to(folder).as_posix()}": file.read_bytes() for file in files}
    content[f"__MACOSX/{root}train/happy/._1.png"] = b"macOS"
    return zip_file(path, content)


@pytest.mark.parametrize("root", ["", "fer2013/"])
def test_a_zip_of_class_folders_is_read_as_the_folders_are(tmp_path, root):
    names = [f"train/{CLASS_NAMES[i % 7]}/Training_{i}.png" for i in range(28)]
    names += [f"test/{CLASS_NAMES[i % 7]}/PublicTest_{i}.png" for i in range(7)]
    names += [f"test/{CLASS_NAMES[i % 7]}/PrivateTest_{i}.png" for i in range(7)]
    folder = write_class_folders(tmp_path / "unpacked", IMAGES, names)
    data = tmp_path / "data"
    data.mkdir()
    class_zip(data / "archive.zip", folder, root)
    summary = set_up(data, progress=False)
    set_up(tmp_path / "same", source=folder, progress=False)
    assert summary["taken"] == ["archive.zip (class folders)"]
    assert (data / "manifest.csv").read_bytes() == (tmp_path / "same/manifest.csv").read_bytes()
    assert sorted(path.name for path in data.iterdir()) == sorted(
        ["archive.zip", "manifest.csv", "dataset.json", summary["images"]]
    )


def test_a_zip_with_other_class_folders_gets_one_line(tmp_path):
    names = ["train/happy/1.png", "train/contempt/2.png"]
    folder = write_class_folders(tmp_path / "unpacked", IMAGES[:2], names)
    archive = class_zip(tmp_path / "ferplus.zip", folder)
    match = r"^ferplus.zip: train/contempt: unknown class folder 'contempt'.*; unpack it, and give"
    with pytest.raises(DataError, match=match):
        set_up(tmp_path / "data", source=archive, progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_zip_of_class_folders_may_be_the_source(tmp_path):
    names = [f"train/happy/{index}.jpg" for index in range(8)]
    folder = write_class_folders(tmp_path / "unpacked", IMAGES[:8], names)
    archive = class_zip(tmp_path / "fer.zip", folder)
    assert set_up(tmp_path / "data", source=archive, progress=False)["rows"] == 8


# ---- CK+ in the columns of FER2013 ----


@pytest.mark.parametrize("archive", [False, True])
def test_ckextended_has_contempt_as_label_7(tmp_path, archive):
    labels = [index % 8 for index in range(40)]
    usages = usages_for(24, 8, 8)
    text = csv_text(rows_of(IMAGES[:40], labels, usages), COLUMNS)
    if archive:
        zip_file(tmp_path / "archive.zip", {"ckextended.csv": text.encode()})
    else:
        (tmp_path / "ckextended.csv").write_text(text)
    summary = set_up(tmp_path, progress=False)
    manifest = read_manifest(tmp_path)
    assert manifest.class_names == CLASS_ORDER
    assert manifest.table["label"].tolist() == labels
    assert manifest.table["split"].tolist() == ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    assert summary["splits"]["test"]["classes"] == dict.fromkeys(CLASS_ORDER, 1)
    images = load_images([tmp_path / path for path in manifest.table["path"]])
    np.testing.assert_array_equal(images[..., 0], IMAGES[:40])


def test_a_file_of_that_name_without_contempt_has_seven_classes(tmp_path):
    write_fer2013_csv(tmp_path / "ck48.csv", IMAGES, USAGES)
    set_up(tmp_path, progress=False)
    check(tmp_path)


def test_label_8_of_ckextended_is_refused(tmp_path):
    rows = rows_of(IMAGES[:8], [0, 1, 2, 3, 4, 5, 7, 8], usages_for(8))
    (tmp_path / "ckextended.csv").write_text(csv_text(rows, COLUMNS))
    with pytest.raises(DataError, match=r"row 7 \(line 9\): label '8', expected 0 to 7"):
        set_up(tmp_path, progress=False)


def test_the_notation_of_kaggle_is_read_by_the_fast_way_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("generate_data.readers.kaggle_csv._read_lines", None)  # not called
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    set_up(tmp_path, progress=False)
    check(tmp_path)
    assert pixel_text(IMAGES[0]).split()[0] == str(IMAGES[0][0, 0])
