"""The manifest of a dataset on disk: reading, checking and writing manifest.csv and dataset.json.

manifest.csv has one line for each image. dataset.json describes the dataset: the names of the
classes in the order of their labels, the size of the images, and how the dataset was made.
manifest.csv is written last: a dataset without it is not finished.
"""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from generate_data.errors import SET_UP_AGAIN, DataError, escaped, foreign_format
from generate_data.folder_contents import state_of
from generate_data.labels import SPLITS

if TYPE_CHECKING:
    import pandas

COLUMNS = ("path", "label", "split", "source", "source_row", "copy_of", "copy_kind")
MANIFEST, DESCRIPTION = "manifest.csv", "dataset.json"
WORK_FOLDER = ".setup-"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A dataset on disk.

    Args:
        folder: the folder of manifest.csv. Paths in the manifest are relative to it; they are
            absolute if the images are in place.
        class_names: names in the order of the labels.
        table: a pandas DataFrame, one row for each image: path (str, forward slashes), label
            (Int64, <NA> without a label), split (train, val, test or unlabelled), source (str, the
            file it came from), source_row (Int64, counted from 0 in that file), copy_of (Int64,
            source_row of the train row that it copies, or <NA>; see `copies.Copies.columns`),
            copy_kind ("exact", "near" or ""), votes (str, FER+) if set-up received them, and
            source_label (str, the label in the source) if the images are in place, and box (str,
            left, top, width and height of the face in pixels, separated by spaces; empty for the
            whole image) if the source gives faces.
        description: the content of dataset.json: class_names, image_size (height, width; None if
            sizes differ), channels, seed, ...
    """

    folder: Path
    class_names: tuple[str, ...]
    table: "pandas.DataFrame"
    description: dict

    def split(self, name: str) -> "pandas.DataFrame":
        """Returns the rows of one split, in order, with a new index.

        Raises:
            DataError: the split does not exist or has no rows.
        """
        rows = self.table[self.table["split"] == name].reset_index(drop=True)
        if not len(rows):
            splits = ", ".join(split for split in SPLITS if (self.table["split"] == split).any())
            raise DataError(
                self.folder / MANIFEST,
                f"no rows in split {name!r}, this dataset has {splits}",
                "choose one of these splits, or set up another dataset",
            )
        return rows

    @property
    def in_place(self) -> bool:
        """Whether the images stay in the user's folder, in any size, and not in this folder."""
        return bool(self.description.get("in_place", False))

    def missing_images(self) -> list[str]:
        """Returns the paths of the images that are not on disk.

        It reads each folder once, because datasets have up to 300,000 images.
        """
        names_in: dict[str, set[str]] = {}
        missing = []
        for path in self.table["path"]:
            start = path.rfind("/") + 1
            parent, name = path[:start], path[start:]
            if parent not in names_in:
                names_in[parent] = _files_in(self.folder / parent)
            if name not in names_in[parent]:
                missing.append(path)
        return missing


def read_manifest(folder: str | Path) -> Manifest:
    """Reads and checks a dataset that set-up wrote.

    Args:
        folder: the dataset's folder, the value of -d.

    Raises:
        DataError: the folder holds no dataset or an unfinished one, a file is not a manifest, or
            images are missing.

    Example:
        >>> manifest = read_manifest("data")
        >>> manifest.class_names[0], len(manifest.split("train"))
        ('angry', 25120)
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not folder.is_dir():
        advice = f"run set-up first: python main.py setup -d {folder}"
        raise DataError(folder, "no such folder", advice)
    if not path.is_file():
        unfinished = any(folder.glob(WORK_FOLDER + "*")) or (folder / DESCRIPTION).exists()
        state = (
            "an unfinished set-up: no manifest.csv yet"
            if unfinished
            else "no dataset in it (no manifest.csv)"
        )
        raise DataError(folder, state, f"run set-up: python main.py setup -d {folder}")
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
    import pandas  # here: set-up imports this module and does not need pandas, which loads slowly

    with foreign_format(DataError, path, "cannot be read as a manifest", SET_UP_AGAIN):
        table = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        problem = f"wrong header, {', '.join(lacking)} missing, expected {','.join(COLUMNS)}"
        raise DataError(path, problem, SET_UP_AGAIN)
    for name in ("label", "source_row", "copy_of"):
        with foreign_format(
            DataError, path, f"column {name} is not all whole numbers", SET_UP_AGAIN
        ):
            table[name] = pandas.to_numeric(table[name].replace("", None)).astype("Int64")
    return table


def _read_description(path: Path) -> dict:
    if not path.exists():
        problem = "missing, so the names of the classes are unknown"
        raise DataError(path, problem, SET_UP_AGAIN)
    with foreign_format(DataError, path, "not a description that set-up wrote", SET_UP_AGAIN):
        description = json.loads(path.read_text(encoding="utf-8"))
        _check_class_names(description["class_names"])
    return description


def source_change(folder: str | Path) -> str:
    """How the images of a dataset's source folder have changed since set-up; "" if they have not.

    Raises:
        DataError: the description of the dataset or the source folder cannot be read.
    """
    description = _read_description(Path(folder) / DESCRIPTION)
    before = description.get("source_state")
    source = Path(str(description.get("source")))
    if not isinstance(before, dict) or not source.is_dir():
        return ""
    now = state_of(source)
    if now == before:
        return ""
    return (
        f"{source}: {now['images']:,} images, {before['images']:,} at set-up, and not all of the "
        "same names; this dataset has those of set-up. To use the others, run set-up again."
    )


def _check_class_names(names: object) -> None:
    """Raises ValueError unless these are different texts without control characters."""
    if not isinstance(names, list) or not names:
        raise ValueError("class_names is not a list of names")
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    wrong += [name for name in names if isinstance(name, str) and escaped(name) != name]
    if wrong:
        raise ValueError(f"class_names has {wrong[0]!r}, expected texts")
    if len(set(names)) < len(names):
        raise ValueError("class_names has a name twice")


def _check(manifest: Manifest) -> None:
    table, path = manifest.table, manifest.folder / MANIFEST
    if not len(table):
        raise DataError(path, "no rows in it", SET_UP_AGAIN)
    unknown = set(table["split"]) - set(SPLITS)
    if unknown:
        problem = f"unknown split {sorted(unknown)[0]!r}, expected {', '.join(SPLITS)}"
        raise DataError(path, problem, SET_UP_AGAIN)
    labels = table["label"]
    wrong = ((labels < 0) | (labels >= len(manifest.class_names))).fillna(False) | (
        labels.isna() & (table["split"] != "unlabelled")
    )
    if wrong.any():
        index = int(wrong.to_numpy().argmax())
        problem = f"label {labels[index]}, expected 0 to {len(manifest.class_names) - 1}"
        raise DataError(f"{path} line {index + 2}", problem, SET_UP_AGAIN)
    missing = manifest.missing_images()
    if missing:
        first = manifest.folder / missing[0]
        problem = f"{len(missing)} of {len(table)} images are missing, the first: {first}"
        restore = "put them back, or " if manifest.in_place else ""
        raise DataError(path, problem, restore + SET_UP_AGAIN)


def manifest_text(rows: Iterable[Iterable[object]], extra: tuple[str, ...] = ()) -> str:
    """Formats manifest.csv for rows in the order of `COLUMNS`, with the extra columns last."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    writer.writerows(rows)
    return out.getvalue()


def write_manifest(folder: Path, text: str, description: dict, work: Path) -> None:
    """Writes dataset.json and then manifest.csv, each in one atomic step.

    Args:
        folder: the dataset's folder; it contains the images already.
        text: the content of manifest.csv.
        description: the content of dataset.json; it must include class_names.
        work: a folder on the same disk, for unfinished files.
    """
    description = {"format": FORMAT, **description}
    if _other_classes(folder / DESCRIPTION, description["class_names"]):
        # Otherwise the old labels would have the new class names for a moment.
        (folder / MANIFEST).unlink(missing_ok=True)
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
    """Raises DataError if set-up would replace a dataset of another kind, or files of the user."""
    _refuse_foreign_files(folder)
    if not (folder / MANIFEST).is_file():
        return
    try:
        existing = _read_description(folder / DESCRIPTION).get("dataset", "fer2013")
    except DataError:
        return  # the dataset is not usable, so set-up may replace it
    if existing != dataset:
        raise DataError(
            folder,
            f"holds a dataset of another kind, {existing}, that set-up of {dataset} would replace",
            f"choose another folder: -d data/{dataset}, or remove {folder / MANIFEST}",
        )


def _refuse_foreign_files(folder: Path) -> None:
    """Raises DataError if manifest.csv or dataset.json is there and set-up wrote neither."""
    paths = [folder / name for name in (MANIFEST, DESCRIPTION)]
    for path in paths:
        if path.is_symlink():
            problem = "a symbolic link, which set-up would replace"
            raise DataError(path, problem, "choose another folder with -d, or remove the link")
    found = [path for path in paths if path.exists() and path.stat().st_size]
    # One of the two may be damaged.
    if found and not (_has_our_header(paths[0]) or _has_our_keys(paths[1])):
        problem = "not written by set-up, which would replace it"
        raise DataError(found[0], problem, "choose another folder with -d, or move the file away")


def _has_our_header(path: Path) -> bool:
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as lines:
            return lines.readline(1000).startswith(",".join(COLUMNS))
    except OSError:
        return False


def _has_our_keys(path: Path) -> bool:
    try:
        return {"format", "class_names"} <= _read_description(path).keys()
    except (DataError, RecursionError):
        return False


def _other_classes(path: Path, class_names: Iterable[str]) -> bool:
    try:
        return _read_description(path)["class_names"] != list(class_names)
    except DataError:
        return True
