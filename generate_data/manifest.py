"""The manifest: one CSV that says everything about a dataset on disk, with a small JSON file beside it.

manifest.csv has one line for each image. dataset.json holds what is true of all of them: the names of the classes in the
order of their labels, the size of the images, and how the dataset was made. manifest.csv is written last: without it, a
dataset is unfinished.
"""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from generate_data.errors import DataError

if TYPE_CHECKING:
    import pandas

COLUMNS = ("path", "label", "split", "source", "source_row", "copy_of", "copy_kind")
SPLITS = ("train", "val", "test", "unlabelled")
MANIFEST, DESCRIPTION = "manifest.csv", "dataset.json"
WORK_FOLDER = ".setup-"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A dataset on disk.

    Args:
        folder: where manifest.csv lies; the paths in it start there, unless images are in place: then they are absolute.
        class_names: names in the order of the labels.
        table: a pandas DataFrame, one row for each image: path (str, forward slashes), label (Int64, <NA> without one),
            split (train, val, test or unlabelled), source (str, file it came from), source_row (Int64, counted from 0 in
            that file), copy_of (Int64, source_row of the train row that it copies, or <NA>;
            see `copies.Copies.columns`), copy_kind ("exact", "near" or
            ""), votes (str, FER+) when set-up was given them, and source_label (str, the label as the source had it) when
            images are in place.
        description: all of dataset.json: class_names, image_size (height, width; None when sizes differ), channels, seed, ...
    """

    folder: Path
    class_names: tuple[str, ...]
    table: "pandas.DataFrame"
    description: dict

    def split(self, name: str) -> "pandas.DataFrame":
        """The rows of one split, in order, with a fresh index.

        Raises:
            DataError: no such split, or nothing in it.
        """
        rows = self.table[self.table["split"] == name].reset_index(drop=True)
        if not len(rows):
            there = ", ".join(split for split in SPLITS if (self.table["split"] == split).any())
            raise DataError(
                f"{self.folder / MANIFEST}: no rows in split {name!r}, this dataset has {there}. "
                "Name one of these, or set up another."
            )
        return rows

    @property
    def in_place(self) -> bool:
        """Whether the images lie where the user keeps them, in any size, and not in this folder."""
        return bool(self.description.get("in_place", False))

    def missing_images(self) -> list[str]:
        """Paths of the images that are not on disk. Each folder is looked into once: datasets have 300,000 images."""
        there: dict[str, set[str]] = {}
        missing = []
        for path in self.table["path"]:
            start = path.rfind("/") + 1
            parent, name = path[:start], path[start:]
            if parent not in there:
                there[parent] = _files_in(self.folder / parent)
            if name not in there[parent]:
                missing.append(path)
        return missing


def read_manifest(folder: str | Path) -> Manifest:
    """Reads and checks a dataset that set-up wrote.

    Args:
        folder: the dataset's folder, as after -d.

    Raises:
        DataError: no dataset there, a half-finished one, a file that is not a manifest, or images that are gone.

    Example:
        >>> manifest = read_manifest("data")
        >>> manifest.class_names[0], len(manifest.split("train"))
        ('angry', 25120)
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder. Run set-up first: python main.py -s True -d {folder}"
        )
    if not path.is_file():
        half = any(folder.glob(WORK_FOLDER + "*")) or (folder / DESCRIPTION).exists()
        state = (
            "a half-finished set-up: no manifest.csv yet"
            if half
            else "no dataset in it (no manifest.csv)"
        )
        raise DataError(f"{folder}: {state}. Run set-up: python main.py -s True -d {folder}")
    table = _read_table(path)
    description = _read_description(folder / DESCRIPTION)
    manifest = Manifest(folder, tuple(description["class_names"]), table, description)
    _check(manifest)
    return manifest


def _files_in(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except OSError:
        return set()


def _read_table(path: Path) -> "pandas.DataFrame":
    import pandas

    try:
        table = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (
        ValueError,
        OSError,
    ) as error:  # what pandas raises on empty, torn and binary files is a ValueError
        raise DataError(
            f"{path}: cannot be read as a manifest ({str(error).strip()}). Run set-up again."
        ) from None
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path}: wrong header, {', '.join(lacking)} missing, expected {','.join(COLUMNS)}. Run set-up again."
        )
    for name in ("label", "source_row", "copy_of"):
        try:
            table[name] = pandas.to_numeric(table[name].replace("", None)).astype("Int64")
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{path}: column {name} is not all whole numbers ({error}). Run set-up again."
            ) from None
    return table


def _read_description(path: Path) -> dict:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if not description["class_names"]:
            raise KeyError("class_names")
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, so the names of the classes are unknown. Run set-up again."
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path}: not a description that set-up wrote ({error!r}). Run set-up again."
        ) from None
    return description


def _check(manifest: Manifest) -> None:
    table, path = manifest.table, manifest.folder / MANIFEST
    if not len(table):
        raise DataError(f"{path}: no rows in it. Run set-up again.")
    unknown = set(table["split"]) - set(SPLITS)
    if unknown:
        raise DataError(
            f"{path}: unknown split {sorted(unknown)[0]!r}, expected {', '.join(SPLITS)}. Run set-up again."
        )
    labels = table["label"]
    wrong = ((labels < 0) | (labels >= len(manifest.class_names))).fillna(False) | (
        labels.isna() & (table["split"] != "unlabelled")
    )
    if wrong.any():
        index = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{path} line {index + 2}: label {labels[index]}, expected 0 to {len(manifest.class_names) - 1}. Run set-up again."
        )
    gone = manifest.missing_images()
    if gone:
        remedy = "Put them back, or run set-up again" if manifest.in_place else "Run set-up again"
        raise DataError(
            f"{path}: {len(gone)} of {len(table)} images are gone, the first: {manifest.folder / gone[0]}. {remedy}."
        )


def manifest_text(rows: Iterable[Iterable], extra: tuple[str, ...] = ()) -> str:
    """The text of manifest.csv for rows in the order of COLUMNS, with the extra columns last."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    writer.writerows(rows)
    return out.getvalue()


def write_manifest(folder: Path, text: str, description: dict, work: Path) -> None:
    """Puts dataset.json and then manifest.csv in place, each in one step.

    Args:
        folder: the dataset's folder; its images are there already.
        text: of manifest.csv.
        description: for dataset.json; must hold class_names.
        work: a folder on the same disk, for the unfinished files.
    """
    description = {"format": FORMAT, **description}
    if _other_classes(folder / DESCRIPTION, description["class_names"]):
        (folder / MANIFEST).unlink(
            missing_ok=True
        )  # no moment in which labels go with the names of other classes
    for name, content in (
        (DESCRIPTION, json.dumps(description, indent=2) + "\n"),
        (MANIFEST, text),
    ):
        with open(work / name, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for name in (DESCRIPTION, MANIFEST):
        os.replace(work / name, folder / name)


def refuse_other_dataset(folder: Path, dataset: str) -> None:
    """Raises DataError when `folder` holds a finished dataset of another kind, which set-up would replace."""
    if not (folder / MANIFEST).is_file():
        return
    try:
        there = _read_description(folder / DESCRIPTION).get("dataset", "fer2013")
    except DataError:
        return  # not usable as it is
    if there != dataset:
        raise DataError(
            f"{folder}: holds a dataset of another kind, {there}, that set-up of {dataset} would replace. "
            f"Choose another folder: -d data/{dataset}, or remove {folder / MANIFEST}."
        )


def _other_classes(path: Path, class_names: Iterable[str]) -> bool:
    try:
        return _read_description(path)["class_names"] != list(class_names)
    except DataError:
        return True
