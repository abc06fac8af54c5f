"""The reader of Kaggle's CSV files: any order of columns, quoted or not, with every row checked.

Fields contain digits, words and spaces, never line ends: a line is a row, and a comma ends a field.
Only in a file that was saved again (see `resaved_csv`) may a quoted field contain commas.
One thread reads: a second thread would mostly wait for the GIL.
"""

import contextlib
import csv
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np

from generate_data.errors import DataError, escaped, foreign_format
from generate_data.labels import CLASS_NAMES, USAGES
from generate_data.readers.pixel_text import PIXELS, SIZE, parse_lines, parse_row
from generate_data.readers.resaved_csv import (
    csv_classes,
    encoding_of,
    label_of,
    open_as_utf8,
    separator_of,
    split_header,
    usage_of,
)
from generate_data.rows import Rows

PACKET = 400_000  # bytes: about fifty rows, which stay in the processor's cache
LONGEST_HEADER = 4096
LONGEST_ROW = 1_000_000  # bytes; a row has 13,000 at most
_BLANK = b' ,;"\t\r\n'
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
        separator: what separates the columns, filled by `read_header`.
    """

    name: str
    stem: str
    open: Callable[[], IO[bytes]]
    size: int = 0
    columns: tuple[str, ...] = ()
    separator: bytes = b","

    @functools.cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the labels."""
        return csv_classes(self.stem)

    @functools.cached_property
    def labels(self) -> dict[bytes, int]:
        """The label for each text in Kaggle's notation."""
        return {str(label).encode(): label for label in range(len(self.class_names))}


def read_header(file: CsvFile, resaved: bool = False) -> tuple[str, ...]:
    """Reads the column names, in lower case, without spaces, quotes and byte-order mark.

    Args:
        file: what to read.
        resaved: find out separator and encoding too, instead of expecting commas and UTF-8.

    Raises:
        DataError: the file cannot be read, is empty, or is not a CSV.
    """
    if escaped(file.name) != file.name:
        problem = "its name is not UTF-8 or contains control characters"
        raise DataError(file.name, problem, "rename it")
    with open_csv(file) as stream:
        first = stream.readline(LONGEST_HEADER)
    encoding = encoding_of(first) if resaved else None
    if encoding:
        file.open = functools.partial(open_as_utf8, file.open, encoding)
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
    separator = separator_of(text) if resaved else ","
    file.separator = separator.encode()
    return split_header(text, separator)


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
        start, blank = 0, b""
        while raw := stream.read(PACKET):
            raw += stream.readline(LONGEST_ROW)
            if len(raw) >= PACKET + LONGEST_ROW:
                problem = f"a line of more than {LONGEST_ROW:,} bytes"
                raise DataError(file.name, problem, "download it again")
            progress(len(raw))
            raw, blank = _split_blank_end(blank + raw)
            if not raw:
                continue
            (part, *packet), lines = _read_packet(file, start, raw)
            packets.append(packet)
            take(packet[2], images.add(part))
            start += lines
    if not packets:
        raise DataError(file.name, "a header and no rows", "download the file again")
    return _gather(file, split, images.all(), packets)


def _split_blank_end(raw: bytes) -> tuple[bytes, bytes]:
    """Splits complete lines into those up to the last row, and the blank ones after it."""
    end = len(raw)
    while end:
        start = raw.rfind(b"\n", 0, end - 1) + 1
        if raw[start:end].strip(_BLANK):
            break
        end = start
    return raw[:end], raw[end:]


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
    has_contempt = bool((labels >= len(CLASS_NAMES)).any())
    return Rows(
        images,
        labels,
        np.array(splits, dtype="<U10"),
        np.array([file.name] * len(rows), dtype=object),
        rows,
        errors=[line for part in error_parts for line in part],
        usages={file.name: usages},
        class_names=file.class_names if has_contempt else CLASS_NAMES,
    )


def _read_packet(file: CsvFile, start: int, raw: bytes) -> tuple[tuple, int]:
    """Reads complete lines.

    Returns:
        (images, labels, usages of all rows, source rows, errors), and the number of lines.
    """
    if not raw.endswith(b"\n"):
        raw += b"\n"  # the last line
    quick = parse_lines(raw, file.separator) if file.columns[-1] == "pixels" else None
    if quick is not None and all(len(head) == len(file.columns) - 1 for head in quick[1]):
        images, fields = quick
        labels, usages = _labels(fields, file), _usages(fields, file.columns)
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


def _labels(fields: list[list[bytes]], file: CsvFile) -> list[int | None]:
    """Returns the label of each row: -1 in a file without labels, None if it is not a class."""
    if "emotion" not in file.columns:
        return [-1] * len(fields)
    position = file.columns.index("emotion")
    return [file.labels.get(row[position]) for row in fields]


def _usages(fields: list[list[bytes]], columns: tuple[str, ...]) -> list[str | None]:
    """Returns the Usage of each row, or None where it is unknown."""
    if "usage" not in columns:
        return [None] * len(fields)
    position = columns.index("usage")
    return [_USAGES.get(row[position]) for row in fields]


def _read_lines(file: CsvFile, start: int, lines: list[bytes]) -> tuple:
    """Does the same as `_read_packet` line by line: for another notation or order, or errors."""
    images: list[np.ndarray] = []
    labels, usages, kept, errors = [], [], [], []
    for index, line in enumerate(lines):
        fields = _fields(line, file)
        row = _Row(dict(zip(file.columns, fields, strict=False)), len(fields), file)
        usages.append(row.usage)
        image, problem = row.check(line)
        if image is None:
            errors.append(f"{file.name} row {start + index} (line {start + index + 2}): {problem}")
        else:
            images.append(image)
            labels.append(row.label)
            kept.append(index)
    array = np.array(images, np.uint8).reshape(-1, SIZE, SIZE)
    return array, np.array(labels, int), usages, start + np.array(kept, int), errors


def _fields(line: bytes, file: CsvFile) -> list[bytes]:
    """Splits a line into fields without surrounding quotes and spaces."""
    values = line.split(file.separator)
    if len(values) != len(file.columns) and b'"' in line:  # perhaps a comma inside quotes
        text = line.decode("latin-1")
        with contextlib.suppress(csv.Error, StopIteration):
            parsed = next(csv.reader([text], delimiter=file.separator.decode()))
            values = [value.encode("latin-1") for value in parsed]
    return [value.strip(b' "\t\r\n') for value in values]


class _Row:
    """One row of a file, read line by line.

    Args:
        fields: the text in each column.
        count: the number of fields, right or not.
        file: the file that it is in.
    """

    def __init__(self, fields: dict[str, bytes], count: int, file: CsvFile) -> None:
        complete = count == len(file.columns)
        self.fields, self.count, self.file = (fields if complete else {}), count, file
        self.label: int | None = -1 if "emotion" not in file.columns else None
        self.usage: str | None = None
        if "emotion" in self.fields:
            text = self.fields["emotion"]
            label = file.labels.get(text)
            self.label = label_of(text, file.class_names) if label is None else label
        if "usage" in self.fields:
            text = self.fields["usage"]
            self.usage = _USAGES.get(text) or _USAGES.get(usage_of(text) or b"")

    def check(self, line: bytes) -> tuple[np.ndarray | None, str]:
        """Returns the image and "", or None and what is wrong with the row."""
        columns = self.file.columns
        if not line.strip(_BLANK):
            return None, "a blank row"
        if self.count != len(columns):
            return None, f"{self.count} fields, expected {len(columns)} ({', '.join(columns)})"
        if "usage" in columns and self.usage is None:
            usage = _quoted(self.fields["usage"])
            return None, f"unknown Usage {usage}, expected {', '.join(USAGES)}"
        if self.label is None:
            label, last = _quoted(self.fields["emotion"]), len(self.file.class_names) - 1
            return None, f"label {label}, expected 0 to {last}"
        pixels = self.fields["pixels"]
        quick = parse_lines(pixels + b"\n")
        return (quick[0][0], "") if quick is not None and not quick[1][0] else parse_row(pixels)


def _quoted(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return repr(text if len(text) <= 20 else text[:17] + "...")
