"""The layouts of Kaggle's downloads: finds CSV files, plain or in archives, and selects among them.

The file with a Usage column comes first, because Usage separates validation from test rows. Next is
train.csv with test.csv. Plain files come before archives.
"""

import dataclasses
import functools
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from generate_data.errors import DataError
from generate_data.readers.kaggle_csv import CsvFile, read_header, reading_archive, unreadable

KNOWN_LAYOUTS = (
    "train.csv, icml_face_data.csv or fer2013.csv (plain, .zip or .tar.gz), "
    "or class folders such as train/angry"
)
KAGGLE_NAMES = ("train.csv", "test.csv", "icml_face_data.csv", "fer2013.csv")
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
_WRITTEN_BY_SETUP = ("manifest.csv",)


@dataclasses.dataclass
class CsvInventory:
    """The CSV files of a folder by their columns, preferred files first, and the unusable files."""

    with_usage: list[CsvFile] = dataclasses.field(default_factory=list)
    with_labels: list[CsvFile] = dataclasses.field(default_factory=list)
    without_labels: list[CsvFile] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    problems: dict[str, DataError] = dataclasses.field(default_factory=dict)

    def add(self, file: CsvFile) -> None:
        """Reads the header of a file and sorts the file into one of the lists."""
        try:
            file.columns = read_header(file)
        except DataError as error:
            self.problems[file.name] = error
            return
        kinds = {
            ("emotion", "pixels", "usage"): self.with_usage,
            ("emotion", "pixels"): self.with_labels,
        }
        kinds["pixels",] = self.without_labels
        kind = kinds.get(tuple(sorted(file.columns)))
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

    def names(self) -> list[str]:
        """Returns the names of the readable files, preferred files first, then those of others."""
        readable = self.with_usage + self.with_labels + self.without_labels
        return [file.name for file in readable] + self.others


def find_csv_files(source: Path) -> CsvInventory:
    """Finds the CSV files in a file, or in a folder and the folders in it.

    Raises:
        DataError: `source` is one file and cannot be used.
    """
    inventory = CsvInventory()
    if source.is_file():
        plain, archives = ([], [source]) if _is_archive(source) else ([source], [])
    else:
        files = _files(source)
        plain = [
            path
            for path in files
            if path.suffix.lower() == ".csv" and path.name not in _WRITTEN_BY_SETUP
        ]
        archives = [path for path in files if _is_archive(path)]
    for path in plain:
        inventory.add(
            CsvFile(
                _display_name(path, source),
                path.stem,
                functools.partial(_open_plain, path),
                path.stat().st_size,
            )
        )
    for path in archives:
        if inventory.with_usage:
            inventory.others.append(_display_name(path, source))
        else:
            _add_archive(inventory, path, _display_name(path, source))
    if source.is_file():
        _raise_first(inventory)
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
            "download FER2013 from Kaggle, or use --sample to draw faces",
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


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


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
    inside = _inside_zip if path.suffix.lower() == ".zip" else _inside_tar
    try:
        with reading_archive(name):
            for file in inside(path, name):
                inventory.add(file)
    except DataError as error:
        inventory.problems[name] = error


def _inside_zip(path: Path, name: str) -> Iterator[CsvFile]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    for entry in entries:
        inner = Path(entry.filename)
        if inner.name.startswith(".") or entry.filename.startswith("__MACOSX"):
            continue
        if inner.suffix.lower() == ".csv":
            yield CsvFile(
                f"{name}: {entry.filename}",
                inner.stem,
                functools.partial(_open_zipped, path, entry),
                entry.file_size,
            )
        elif _is_archive(inner) and inner.suffix.lower() != ".zip":
            with (
                _open_zipped(path, entry) as stream,
                tarfile.open(fileobj=stream, mode="r|*") as tar,
            ):
                names = [member.name for member in _csv_members(tar)]
            for member in names:
                yield CsvFile(
                    f"{name}: {entry.filename}: {member}",
                    Path(member).stem,
                    functools.partial(_open_zipped_tar, path, entry, member),
                )


def _inside_tar(path: Path, name: str) -> Iterator[CsvFile]:
    with tarfile.open(path, mode="r|*") as tar:
        members = [(member.name, member.size) for member in _csv_members(tar)]
    for member, size in members:
        yield CsvFile(
            f"{name}: {member}",
            Path(member).stem,
            functools.partial(_open_tar, path, member),
            size,
        )


def _csv_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yields the first CSV of a tar archive; Kaggle's has one, and going on unpacks it all."""
    for member in tar:
        if (
            member.isfile()
            and member.name.lower().endswith(".csv")
            and not Path(member.name).name.startswith(".")
        ):
            yield member
            return


def _open_zipped(path: Path, entry: zipfile.ZipInfo) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    try:
        return archive.open(entry)
    except RuntimeError as error:  # a password
        raise DataError(path.name, str(error), "unpack it first") from None
    finally:
        archive.close()  # the stream keeps the file open until it is closed


class _TarStream(io.RawIOBase):
    """A member of a tar archive as a stream; closing it closes the archive and its file, too."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.archive_stream = stream
        self.tar = tarfile.open(fileobj=stream, mode="r|*")  # noqa: SIM115 - closed with this stream
        member = next(
            (self.tar.extractfile(member) for member in self.tar if member.name == name), None
        )
        if member is None:
            raise EOFError(f"{name} is missing")
        self.member = member

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads into a buffer and returns the number of bytes."""
        data = self.member.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Closes the archive and its file."""
        if not self.closed:
            self.tar.close()
            self.archive_stream.close()
        super().close()


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb", 1 << 20)


def _open_tar(path: Path, name: str) -> IO[bytes]:
    return _open_member(path.open("rb", 1 << 20), name)


def _open_zipped_tar(path: Path, entry: zipfile.ZipInfo, name: str) -> IO[bytes]:
    return _open_member(_open_zipped(path, entry), name)


def _open_member(stream: IO[bytes], name: str) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_TarStream(stream, name), 1 << 20))
