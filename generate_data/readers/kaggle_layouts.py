"""What a folder holds: the CSV files that Kaggle ships, plain or in archives, and which of them to take.

The file with a Usage column wins, since it says which rows are for validation and which for the exam; then train.csv with
test.csv. Plain files come before archives.
"""

import dataclasses
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from generate_data.errors import DataError
from generate_data.readers.kaggle_csv import ARCHIVE_ERRORS, CsvFile, read_header

KNOWN_LAYOUTS = "train.csv, icml_face_data.csv or fer2013.csv (plain, .zip or .tar.gz), or class folders such as train/angry"
KAGGLE_NAMES = ("train.csv", "test.csv", "icml_face_data.csv", "fer2013.csv")
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
_WRITTEN_BY_SETUP = ("manifest.csv",)


@dataclasses.dataclass
class CsvInventory:
    """CSV files of a folder by what they hold, the preferred one first, and what could not be used."""

    with_usage: list[CsvFile] = dataclasses.field(default_factory=list)
    with_labels: list[CsvFile] = dataclasses.field(default_factory=list)
    without_labels: list[CsvFile] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    problems: dict[str, DataError] = dataclasses.field(default_factory=dict)

    def add(self, file: CsvFile) -> None:
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
                f"{file.name}: wrong header {columns[:80]!r}, expected emotion,pixels or emotion,pixels,Usage or pixels. "
                "Download the file again, or put the header back as its first line."
            )
        else:
            self.others.append(file.name)


def find_csv_files(source: Path) -> CsvInventory:
    """Looks at a file, or at a folder and the folders in it.

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
                lambda p=path: p.open("rb", 1 << 20),
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
    """The files to read, each with the split of its rows (None: the Usage column says).

    Raises:
        DataError: nothing with labels is there; the first broken file says why, else what is looked for.
    """
    if inventory.with_usage:
        return [(inventory.with_usage[0], None)]
    if not inventory.with_labels:
        _raise_first(inventory)
        if inventory.without_labels:
            raise DataError(
                f"{inventory.without_labels[0].name}: has no labels (no column emotion). Put train.csv beside it, in {where}."
            )
        raise DataError(
            f"{where}: no Kaggle CSV in it. Looked for {KNOWN_LAYOUTS}. Download FER2013 from Kaggle, or use --sample to draw faces."
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
    """Files of a folder and of the folders in it, the nearest and the well-known names first; hidden ones left out."""
    try:
        inside = [
            path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "images-"))
        ]
        deeper = [path for place in inside if place.is_dir() for path in sorted(place.iterdir())]
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be read: {error.strerror}.") from None
    return [path for path in inside + deeper if path.is_file() and not path.name.startswith(".")]


def _display_name(path: Path, source: Path) -> str:
    return path.relative_to(source).as_posix() if source.is_dir() else path.name


def _add_archive(inventory: CsvInventory, path: Path, name: str) -> None:
    try:
        for file in (
            _inside_zip(path, name) if path.suffix.lower() == ".zip" else _inside_tar(path, name)
        ):
            inventory.add(file)
    except ARCHIVE_ERRORS as error:
        inventory.problems[name] = DataError(
            f"{name}: the archive is broken or cut short ({str(error) or type(error).__name__}). Download it again."
        )
    except OSError as error:
        inventory.problems[name] = DataError(f"{name}: cannot be read: {error.strerror or error}.")


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
                lambda e=entry: _open_zipped(path, e),
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
                    lambda e=entry, m=member: _open_tarred(_open_zipped(path, e), m),
                )


def _inside_tar(path: Path, name: str) -> Iterator[CsvFile]:
    with tarfile.open(path, mode="r|*") as tar:
        members = [(member.name, member.size) for member in _csv_members(tar)]
    for member, size in members:
        yield CsvFile(
            f"{name}: {member}",
            Path(member).stem,
            lambda m=member: _open_tarred(path.open("rb", 1 << 20), m),
            size,
        )


def _csv_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The first CSV of a tar archive: going on would unpack it to its end, and Kaggle's holds one."""
    for member in tar:
        if (
            member.isfile()
            and member.name.lower().endswith(".csv")
            and not Path(member.name).name.startswith(".")
        ):
            yield member
            return


def _open_zipped(path: Path, entry: zipfile.ZipInfo):
    archive = zipfile.ZipFile(path)
    try:
        return archive.open(entry)
    except RuntimeError as error:  # a password
        raise DataError(f"{path.name}: {error}. Unpack it first.") from None
    finally:
        archive.close()  # the stream keeps the file open as long as it needs it


class _TarStream(io.RawIOBase):
    """A member of a tar archive that is read as a stream; closes the archive and the file below with it."""

    def __init__(self, stream, name: str):
        self.below = stream
        self.tar = tarfile.open(fileobj=stream, mode="r|*")  # noqa: SIM115 - closed with this stream
        self.member = next(
            (self.tar.extractfile(member) for member in self.tar if member.name == name), None
        )
        if self.member is None:
            raise EOFError(f"{name} is gone")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.member.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self.tar.close()
            self.below.close()
        super().close()


def _open_tarred(stream, name: str):
    return io.BufferedReader(_TarStream(stream, name), 1 << 20)
