"""The layouts of Kaggle's downloads: finds CSV files, plain or in archives, and selects among them.

The file with a Usage column comes first, because Usage separates validation from test rows. Next is
train.csv with test.csv. Plain files come before archives.
"""

import dataclasses
import functools
from pathlib import Path
from typing import IO

from generate_data.errors import DataError
from generate_data.readers.archives import files_inside, is_archive, is_packed
from generate_data.readers.kaggle_csv import CsvFile, read_header, reading_archive, unreadable
from generate_data.readers.resaved_csv import TEXT_TYPES, known_columns

KNOWN_LAYOUTS = (
    "train.csv, icml_face_data.csv or fer2013.csv (plain, .zip or .tar.gz), "
    "or class folders such as train/angry"
)
KAGGLE_NAMES = ("train.csv", "test.csv", "icml_face_data.csv", "fer2013.csv")
_WRITTEN_BY_SETUP = ("manifest.csv",)


@dataclasses.dataclass
class CsvInventory:
    """The CSV files of a folder by their columns, preferred files first, and the unusable files.

    Args:
        resaved: files that another program has saved again count too; see `resaved_csv`.
    """

    resaved: bool = False
    with_usage: list[CsvFile] = dataclasses.field(default_factory=list)
    with_labels: list[CsvFile] = dataclasses.field(default_factory=list)
    without_labels: list[CsvFile] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    problems: dict[str, DataError] = dataclasses.field(default_factory=dict)

    def add(self, file: CsvFile) -> None:
        """Reads the header of a file and sorts the file into one of the lists."""
        try:
            file.columns = read_header(file, self.resaved)
        except DataError as error:
            self.problems[file.name] = error
            return
        kind = self._kind_of(file)
        if kind is not None:
            kind.append(file)
        elif Path(file.name.split(": ")[-1]).name.lower() in KAGGLE_NAMES:
            columns = ",".join(file.columns)
            self.problems[file.name] = DataError(
                file.name,
                f"wrong header {columns[:80]!r}, expected emotion,pixels or emotion,pixels,Usage "
                "or pixels",
                "download the file again, or restore the header as its first line",
            )
        else:
            self.others.append(file.name)

    def _kind_of(self, file: CsvFile) -> list[CsvFile] | None:
        """Returns the list that a file belongs to by its columns."""
        kinds = {
            ("emotion", "pixels", "usage"): self.with_usage,
            ("emotion", "pixels"): self.with_labels,
            ("pixels",): self.without_labels,
        }
        known = known_columns(file.columns)
        if self.resaved or (file.stem.lower() == "test" and known == ("pixels",)):
            return kinds.get(known)
        return kinds.get(tuple(sorted(file.columns)))

    @property
    def has_labels(self) -> bool:
        """Whether a file has labels."""
        return bool(self.with_usage or self.with_labels)

    def names(self) -> list[str]:
        """Returns the names of the readable files, preferred files first, then those of others."""
        readable = self.with_usage + self.with_labels + self.without_labels
        return [file.name for file in readable] + self.others


def find_csv_files(source: Path, resaved: bool = False) -> CsvInventory:
    """Finds the CSV files in a file, or in a folder and the folders in it.

    Args:
        source: the file or folder.
        resaved: also find files that another program has saved again, such as .csv.gz and .tsv,
            and archives under any name.
    """
    inventory = CsvInventory(resaved)
    files = [source] if source.is_file() else _files(source)
    archives = [path for path in files if is_archive(path) or (resaved and is_packed(path))]
    types = TEXT_TYPES if resaved else (".csv",)
    for path in files:
        is_text = path == source or path.suffix.lower() in types
        if is_text and path not in archives and path.name not in _WRITTEN_BY_SETUP:
            opened = functools.partial(_open_plain, path)
            name = _display_name(path, source)
            inventory.add(CsvFile(name, path.stem, opened, path.stat().st_size))
    for path in archives:
        if inventory.with_usage:
            inventory.others.append(_display_name(path, source))
        else:
            _add_archive(inventory, path, _display_name(path, source))
    return inventory


def select_files(inventory: CsvInventory, where: Path) -> list[tuple[CsvFile, str | None]]:
    """Returns the files to read, each with the split of its rows (None: the Usage column gives it).

    Raises:
        DataError: no file has labels. It names the first broken file, or the known layouts.
    """
    if inventory.with_usage:
        return [(inventory.with_usage[0], None)]
    if not inventory.with_labels:
        _raise_first(inventory)
        if inventory.without_labels:
            raise DataError(
                inventory.without_labels[0].name,
                "has no labels (no column emotion)",
                f"put train.csv next to it, in {where}",
            )
        raise DataError(
            where,
            f"no Kaggle CSV in it, looked for {KNOWN_LAYOUTS}",
            "download FER2013 from Kaggle, use --sample to draw faces, or give the files of "
            "another dataset with --source",
        )
    chosen: list[tuple[CsvFile, str | None]] = [(_named(inventory.with_labels, "train"), "train")]
    for name, problem in inventory.problems.items():
        if "test" in Path(name).name:
            raise problem
    if inventory.without_labels:
        chosen.append((_named(inventory.without_labels, "test"), "unlabelled"))
    return chosen


def _named(files: list[CsvFile], stem: str) -> CsvFile:
    return next((file for file in files if file.stem == stem), files[0])


def _raise_first(inventory: CsvInventory) -> None:
    usable = inventory.with_usage or inventory.with_labels or inventory.without_labels
    if inventory.problems and not usable:
        raise next(iter(inventory.problems.values()))


def _files(folder: Path) -> list[Path]:
    """Lists the visible files of a folder, followed by those of the folders in it."""
    try:
        inside = [
            path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "images-"))
        ]
        deeper = [path for child in inside if child.is_dir() for path in sorted(child.iterdir())]
    except OSError as error:
        raise unreadable(error.filename or folder, error) from None
    return [path for path in inside + deeper if path.is_file() and not path.name.startswith(".")]


def _display_name(path: Path, source: Path) -> str:
    return path.relative_to(source).as_posix() if source.is_dir() else path.name


def _add_archive(inventory: CsvInventory, path: Path, name: str) -> None:
    try:
        with reading_archive(name):
            for file in files_inside(path, name, by_content=inventory.resaved):
                inventory.add(file)
    except DataError as error:
        inventory.problems[name] = error


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb", 1 << 20)
