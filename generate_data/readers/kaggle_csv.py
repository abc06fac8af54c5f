"""Kaggle's CSV files: any order of columns, quoted or not, every row checked, read at the speed of the disk.

Fields hold digits, words and spaces, never commas or line ends, so a line is a row and a comma ends a field.
One thread reads: its pieces of work are so short that a second one would mostly wait for the interpreter's lock.
"""

import dataclasses
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from generate_data.errors import DataError
from generate_data.readers.pixel_text import PIXELS, SIZE, parse_lines, parse_row
from generate_data.rows import CLASS_NAMES, USAGES, Rows

PACKET = (
    100_000  # bytes: a dozen rows, which stay in the processor's cache while they are worked on
)
LONGEST_HEADER = 4096
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeError,
)
_LABELS = {str(index).encode(): index for index in range(len(CLASS_NAMES))}
_USAGES = {usage.encode(): usage for usage in USAGES}


@dataclasses.dataclass
class CsvFile:
    """A CSV file, perhaps inside an archive.

    Args:
        name: for messages: "train.csv" or "fer2013.tar.gz: fer2013/fer2013.csv".
        stem: for image files: "train".
        open: gives a binary stream from the start.
        size: bytes to be read, for the progress bar; 0 when unknown.
        columns: lower-case names, filled by `read_header`.
    """

    name: str
    stem: str
    open: Callable[[], BinaryIO]
    size: int = 0
    columns: tuple[str, ...] = ()


def read_header(file: CsvFile) -> tuple[str, ...]:
    """Reads the column names, in lower case and without the spaces, quotes and byte-order mark around them.

    Raises:
        DataError: the file cannot be read, is empty, or is not a CSV.
    """
    with opened(file) as stream:
        first = stream.readline(LONGEST_HEADER)
    if not first.strip():
        raise DataError(f"{file.name}: the file is empty. Download it again.")
    try:
        text = first.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if len(first) >= LONGEST_HEADER or not all(
        character.isprintable() or character in "\r\n\t" for character in text
    ):
        raise DataError(
            f"{file.name}: not a CSV file: it begins with {first[:12]!r}. Download it again."
        )
    return tuple(field.strip().strip('"').strip().lower() for field in text.split(","))


class opened:  # noqa: N801 - reads as a function
    """`with opened(file) as stream`: errors of the file or of its archive become a DataError that names it."""

    def __init__(self, file: CsvFile):
        self.file = file

    def __enter__(self) -> BinaryIO:
        try:
            self.stream = self.file.open()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self.stream

    def __exit__(self, kind, error, trace) -> None:
        if getattr(self, "stream", None) is not None:
            self.stream.close()
        if isinstance(error, BROKEN):
            reason = str(error) or type(error).__name__
            raise DataError(
                f"{self.file.name}: the archive is broken or cut short ({reason}). Download it again."
            ) from error
        if isinstance(error, OSError):
            raise DataError(
                f"{self.file.name}: cannot be read: {error.strerror or error}."
            ) from error


def read_csv(
    file: CsvFile,
    split: str | None = None,
    progress: Callable[[int], None] = lambda count: None,
    take: Callable[[np.ndarray, np.ndarray], None] = lambda rows, images: None,
) -> Rows:
    """Reads and checks every row.

    Args:
        file: with its columns known: `pixels`, and `emotion` and `usage` where there are such.
        split: the split of all rows when there is no Usage column.
        progress: called with the number of bytes read since the last call.
        take: called with source rows (n,) and images (n, 48, 48) as they are read, so that others can begin with them.

    Returns:
        Rows, those that are no good listed in `bad`.

    Raises:
        DataError: the file or its archive cannot be read to its end.
    """
    packets: list[list] = []
    images = _Images(file.size // (2 * PIXELS) + 1)  # a pixel is a digit and a space at least
    with opened(file) as stream:
        stream.readline()
        start = 0
        while raw := stream.read(PACKET):
            raw += stream.readline()
            (part, *packet), lines = _read_packet(file, start, raw)
            packets.append(packet)
            take(packet[2], images.add(part))
            progress(len(raw))
            start += lines
    if not packets:
        raise DataError(f"{file.name}: a header and no rows. Download the file again.")
    return _gather(file, split, images.all(), packets)


class _Images:
    """An array of images that grows; memory that is not used yet is not taken from the system either."""

    def __init__(self, capacity: int):
        self.memory, self.count = np.empty((capacity, SIZE, SIZE), np.uint8), 0

    def add(self, images: np.ndarray) -> np.ndarray:
        """Puts images behind the others and gives them back as they lie there."""
        if self.count + len(images) > len(self.memory):
            more = np.empty((max(len(self.memory), len(images)), SIZE, SIZE), np.uint8)
            self.memory = np.concatenate([self.memory, more])
        place = self.memory[self.count : self.count + len(images)]
        place[:] = images
        self.count += len(images)
        return place

    def all(self) -> np.ndarray:
        return self.memory[: self.count]


def _gather(file: CsvFile, split: str | None, images: np.ndarray, packets: list[list]) -> Rows:
    labels, usages, rows, bad = (list(part) for part in zip(*packets, strict=True))
    labels, rows = np.concatenate(labels), np.concatenate(rows)
    usages = [usage for part in usages for usage in part]
    splits = [split or USAGES[usages[row]] for row in rows]
    return Rows(
        images,
        labels,
        np.array(splits, dtype="<U10"),
        np.array([file.name] * len(rows), dtype=object),
        rows,
        bad=[line for part in bad for line in part],
        usages={file.name: usages},
    )


def _read_packet(file: CsvFile, start: int, raw: bytes) -> tuple[tuple, int]:
    """(images, labels, usages of all rows, source rows, bad) of whole lines, and how many lines they are."""
    if not raw.endswith(b"\n"):
        raw += b"\n"  # the last line
    quick = parse_lines(raw) if file.columns[-1] == "pixels" else None
    if quick is not None and all(len(head) == len(file.columns) - 1 for head in quick[1]):
        images, fields = quick
        labels, usages = _labels(fields, file.columns), _usages(fields, file.columns)
        if None not in labels and (None not in usages or "usage" not in file.columns):
            return (
                images,
                np.array(labels),
                usages,
                np.arange(start, start + len(fields)),
                [],
            ), len(fields)
    lines = raw.split(b"\n")[:-1]
    return _read_lines(file, start, lines), len(lines)


def _labels(fields: list[list[bytes]], columns: tuple[str, ...]) -> list[int | None]:
    """The label of each row, -1 in a file without labels, None where it is none of the classes."""
    if "emotion" not in columns:
        return [-1] * len(fields)
    place = columns.index("emotion")
    return [_LABELS.get(row[place]) for row in fields]


def _usages(fields: list[list[bytes]], columns: tuple[str, ...]) -> list[str | None]:
    """The Usage of each row, None where it is unknown."""
    if "usage" not in columns:
        return [None] * len(fields)
    place = columns.index("usage")
    return [_USAGES.get(row[place]) for row in fields]


def _read_lines(file: CsvFile, start: int, lines: list[bytes]) -> tuple:
    """As `_read_packet`, line by line, for what is quoted, in another order, or wrong."""
    columns = file.columns
    fields = [_fields(line, columns) for line in lines]
    labels, usages = _labels(fields, columns), _usages(fields, columns)
    images, kept, bad = [], [], []
    for index, row in enumerate(fields):
        image, problem = _check(dict(zip(columns, row, strict=True)), columns, lines[index])
        if problem:
            bad.append(f"{file.name} row {start + index} (line {start + index + 2}): {problem}")
        else:
            images.append(image)
            kept.append(index)
    array = np.array(images, np.uint8).reshape(-1, SIZE, SIZE)
    return (
        array,
        np.array([labels[index] for index in kept], int),
        usages,
        start + np.array(kept, int),
        bad,
    )


def _fields(line: bytes, columns: tuple[str, ...]) -> list[bytes]:
    """The fields of a line without quotes and spaces around them; as many empty ones when the number of fields is wrong."""
    values = line.split(b",")
    return (
        [value.strip(b' "\t\r\n') for value in values]
        if len(values) == len(columns)
        else [b""] * len(columns)
    )


def _check(
    row: dict[str, bytes], columns: tuple[str, ...], line: bytes
) -> tuple[np.ndarray | None, str]:
    """The image and "", or None and what is wrong with the row."""
    if not line.strip(b' ,"\t\r\n'):
        return None, "a blank row"
    if line.count(b",") != len(columns) - 1:
        return (
            None,
            f"{line.count(b',') + 1} fields, expected {len(columns)} ({', '.join(columns)})",
        )
    if "usage" in columns and row["usage"] not in _USAGES:
        return None, f"unknown Usage {_shown(row['usage'])}, expected {', '.join(USAGES)}"
    if "emotion" in columns and row["emotion"] not in _LABELS:
        return None, f"label {_shown(row['emotion'])}, expected 0 to {len(CLASS_NAMES) - 1}"
    quick = parse_lines(row["pixels"] + b"\n")
    return (quick[0][0], "") if quick is not None and not quick[1][0] else parse_row(row["pixels"])


def _shown(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return repr(text if len(text) <= 20 else text[:17] + "...")
