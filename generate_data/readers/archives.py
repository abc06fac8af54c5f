"""CSV files inside archives: zip, tar of any compression, tar inside zip, and a CSV with gzip."""

import functools
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from generate_data.errors import DataError
from generate_data.image_types import DATASET_TYPES
from generate_data.readers.kaggle_csv import CsvFile

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
_GZIP = b"\x1f\x8b"


def is_archive(path: Path) -> bool:
    """Returns whether the name of a file is that of an archive."""
    return path.name.lower().endswith(ARCHIVES)


def is_packed(path: Path) -> bool:
    """Returns whether the content of a file is an archive or compressed, whatever its name."""
    if path.suffix.lower() in DATASET_TYPES or not path.stat().st_size:
        return False
    return _reader_by_content(path) is not None


def files_inside(path: Path, name: str, by_content: bool = False) -> Iterator[CsvFile]:
    """Yields the CSV files of an archive.

    Args:
        path: the archive.
        name: what messages call it.
        by_content: the content says which kind of archive it is, and not the ending of its name.
    """
    reader = _reader_by_content(path) if by_content else None
    if reader is None:
        reader = _inside_zip if path.suffix.lower() == ".zip" else _inside_tar
    return reader(path, name)


def _reader_by_content(path: Path) -> Callable[[Path, str], Iterator[CsvFile]] | None:
    if zipfile.is_zipfile(path):
        return _inside_zip
    if tarfile.is_tarfile(path):
        return _inside_tar
    with path.open("rb") as file:
        return _inside_gzip if file.read(len(_GZIP)) == _GZIP else None


def _inside_gzip(path: Path, name: str) -> Iterator[CsvFile]:
    """Yields the one file of a .csv.gz."""
    stem = path.name.partition(".")[0]
    yield CsvFile(name, stem, functools.partial(_open_gzip, path))


def _inside_zip(path: Path, name: str) -> Iterator[CsvFile]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename == "xl/workbook.xml" for entry in entries):
        raise DataError(name, "an Excel workbook", "save it as CSV, or download the file again")
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
        elif is_archive(inner) and inner.suffix.lower() != ".zip":
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


def _open_gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb"))


def _open_tar(path: Path, name: str) -> IO[bytes]:
    return _open_member(path.open("rb", 1 << 20), name)


def _open_zipped_tar(path: Path, entry: zipfile.ZipInfo, name: str) -> IO[bytes]:
    return _open_member(_open_zipped(path, entry), name)


def _open_member(stream: IO[bytes], name: str) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_TarStream(stream, name), 1 << 20))
