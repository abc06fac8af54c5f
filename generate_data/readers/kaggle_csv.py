"""The reader of Kaggle's CSV files: any order of columns, quoted or not, with every row checked.

Fields contain digits, words and spaces, never commas or line ends: a line is a row, and a comma
ends a field. One thread reads: a second thread would mostly wait for the GIL.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np

from generate_data.errors import DataError, escaped, foreign_format
from generate_data.labels import CLASS_NAMES, USAGES
from generate_data.readers.pixel_text import PIXELS, SIZE, parse_lines, parse_row
from generate_data.rows import Rows

PACKET = 400_000  # bytes: about fifty rows, which stay in the processor's cache
LONGEST_HEADER = 4096
LONGEST_ROW = 1_000_000  # bytes; a row has 13,000 at most
_LABELS = {str(index).encode(): index for index in range(len(CLASS_NAMES))}
_USAGES = {usage.encode(): usage for usage in USAGES}


@dataclasses.dataclass
class CsvFile:
    """A CSV file, perhaps inside an archive.

    Args:
        name: for messages: "train.csv" or "fer2013.tar.gz: fer2013/fer2013.csv".
        stem: for image files: "train".
        open: returns a binary stream from the start.
        size: bytes to be read, for the progress bar; 0 when unknown.
        columns: lower-case names, filled by `read_header`.
    """

    name: str
    stem: str
    open: Callable[[], IO[bytes]]
    size: int = 0
    columns: tuple[str, ...] = ()


def read_header(file: CsvFile) -> tuple[str, ...]:
    """Reads the column names, in lower case, without spaces, quotes and byte-order mark.

    Raises:
        DataError: the file cannot be read, is empty, or is not a CSV.
    """
    if escaped(file.name) != file.name:
        problem = "its name is not UTF-8 or contains control characters"
        raise DataError(file.name, problem, "rename it")
    with open_csv(file) as stream:
        first = stream.readline(LONGEST_HEADER)
    if not first.strip():
        raise DataError(file.name, "the file is empty", "download it again")
    try:
        text = first.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if len(first) >= LONGEST_HEADER or not all(
        character.isprintable() or character in "\r\n\t" for character in text
    ):
        problem = f"not a CSV file: it begins with {first[:12]!r}"
        raise DataError(file.name, problem, "download it again")
    return tuple(field.strip().strip('"').strip().lower() for field in text.split(","))


@contextlib.contextmanager
def open_csv(file: CsvFile) -> Iterator[IO[bytes]]:
    """Opens a CSV file; errors of the file or its archive become a DataError that names it."""
    with reading_archive(file.name), file.open() as stream:
        yield stream


@contextlib.contextmanager
def reading_archive(name: str) -> Iterator[None]:
    """In this context, an error of a file or of its archive becomes a DataError that names it."""
    advice = "download it again, or unpack it yourself"
    try:
        with foreign_format(DataError, name, "the archive is broken or cut short", advice):
            yield
    except DataError as error:
        if isinstance(error.__cause__, OSError):
            raise unreadable(name, error.__cause__) from error.__cause__
        raise


def unreadable(name: object, error: OSError) -> DataError:
    """Returns the DataError for a file or folder that the operating system cannot read."""
    problem = f"cannot be read: {error.strerror or error}"
    return DataError(name, problem, "check the disk and the permissions")


def read_csv(
    file: CsvFile,
    split: str | None = None,
    progress: Callable[[int], None] = lambda count: None,
    take: Callable[[np.ndarray, np.ndarray], None] = lambda rows, images: None,
) -> Rows:
    """Reads and checks every row.

    Args:
        file: with known columns: `pixels`, and optionally `emotion` and `usage`.
        split: the split of all rows if there is no Usage column.
        progress: called with the number of bytes read since the last call.
        take: called with source rows (n,) and images (n, 48, 48) as they are read, so that writing
            can start early.

    Returns:
        The valid rows; rejected rows are listed in `errors`.

    Raises:
        DataError: the file or its archive cannot be read to its end.
    """
    packets: list[list] = []
    # A pixel is a digit and a space at least.
    images = _GrowingImages(file.size // (2 * PIXELS) + 1)
    with open_csv(file) as stream:
        stream.readline()
        start = 0
        while raw := stream.read(PACKET):
            raw += stream.readline(LONGEST_ROW)
            if len(raw) >= PACKET + LONGEST_ROW:
                problem = f"a line of more than {LONGEST_ROW:,} bytes"
                raise DataError(file.name, problem, "download it again")
            (part, *packet), lines = _read_packet(file, start, raw)
            packets.append(packet)
            take(packet[2], images.add(part))
            progress(len(raw))
            start += lines
    if not packets:
        raise DataError(file.name, "a header and no rows", "download the file again")
    return _gather(file, split, images.all(), packets)


class _GrowingImages:
    """An array of images that grows; the system provides its memory only as it is used."""

    def __init__(self, capacity: int) -> None:
        self.memory, self.count = np.empty((capacity, SIZE, SIZE), np.uint8), 0

    def add(self, images: np.ndarray) -> np.ndarray:
        """Appends images and returns the view of them in the array."""
        if self.count + len(images) > len(self.memory):
            more = np.empty((max(len(self.memory), len(images)), SIZE, SIZE), np.uint8)
            self.memory = np.concatenate([self.memory, more])
        position = self.memory[self.count : self.count + len(images)]
        position[:] = images
        self.count += len(images)
        return position

    def all(self) -> np.ndarray:
        """Returns the images added so far."""
        return self.memory[: self.count]


def _gather(file: CsvFile, split: str | None, images: np.ndarray, packets: list[list]) -> Rows:
    label_parts, usage_parts, row_parts, error_parts = zip(*packets, strict=True)
    labels, rows = np.concatenate(label_parts), np.concatenate(row_parts)
    usages = [usage for part in usage_parts for usage in part]
    splits = [split or USAGES[usages[row]] for row in rows]
    return Rows(
        images,
        labels,
        np.array(splits, dtype="<U10"),
        np.array([file.name] * len(rows), dtype=object),
        rows,
        errors=[line for part in error_parts for line in part],
        usages={file.name: usages},
    )


def _read_packet(file: CsvFile, start: int, raw: bytes) -> tuple[tuple, int]:
    """Reads complete lines.

    Returns:
        (images, labels, usages of all rows, source rows, errors), and the number of lines.
    """
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
    """Returns the label of each row: -1 in a file without labels, None if it is not a class."""
    if "emotion" not in columns:
        return [-1] * len(fields)
    position = columns.index("emotion")
    return [_LABELS.get(row[position]) for row in fields]


def _usages(fields: list[list[bytes]], columns: tuple[str, ...]) -> list[str | None]:
    """Returns the Usage of each row, or None where it is unknown."""
    if "usage" not in columns:
        return [None] * len(fields)
    position = columns.index("usage")
    return [_USAGES.get(row[position]) for row in fields]


def _read_lines(file: CsvFile, start: int, lines: list[bytes]) -> tuple:
    """Does the same as `_read_packet` line by line: for quotes, another column order, or errors."""
    columns = file.columns
    fields = [_fields(line, columns) for line in lines]
    labels, usages = _labels(fields, columns), _usages(fields, columns)
    images, kept, errors = [], [], []
    for index, row in enumerate(fields):
        image, problem = _check(dict(zip(columns, row, strict=True)), columns, lines[index])
        if problem:
            errors.append(f"{file.name} row {start + index} (line {start + index + 2}): {problem}")
        else:
            images.append(image)
            kept.append(index)
    array = np.array(images, np.uint8).reshape(-1, SIZE, SIZE)
    return (
        array,
        np.array([labels[index] for index in kept], int),
        usages,
        start + np.array(kept, int),
        errors,
    )


def _fields(line: bytes, columns: tuple[str, ...]) -> list[bytes]:
    """Splits a line into fields without surrounding quotes and spaces.

    All fields are empty if their number is wrong.
    """
    values = line.split(b",")
    return (
        [value.strip(b' "\t\r\n') for value in values]
        if len(values) == len(columns)
        else [b""] * len(columns)
    )


def _check(
    row: dict[str, bytes], columns: tuple[str, ...], line: bytes
) -> tuple[np.ndarray | None, str]:
    """Returns the image and "", or None and what is wrong with the row."""
    if not line.strip(b' ,"\t\r\n'):
        return None, "a blank row"
    if line.count(b",") != len(columns) - 1:
        return (
            None,
            f"{line.count(b',') + 1} fields, expected {len(columns)} ({', '.join(columns)})",
        )
    if "usage" in columns and row["usage"] not in _USAGES:
        return None, f"unknown Usage {_quoted(row['usage'])}, expected {', '.join(USAGES)}"
    if "emotion" in columns and row["emotion"] not in _LABELS:
        return None, f"label {_quoted(row['emotion'])}, expected 0 to {len(CLASS_NAMES) - 1}"
    quick = parse_lines(row["pixels"] + b"\n")
    return (quick[0][0], "") if quick is not None and not quick[1][0] else parse_row(row["pixels"])


def _quoted(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return repr(text if len(text) <= 20 else text[:17] + "...")
