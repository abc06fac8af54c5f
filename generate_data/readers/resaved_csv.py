"""FER2013's CSV files as pandas, Excel and text editors save them again.

Other columns, encodings, separators and notations of labels and Usages. Kaggle's own notation is
looked up first; what is here is tried on what that does not know.
"""

import codecs
import re
from collections.abc import Callable
from typing import IO, cast

from generate_data.labels import CKEXTENDED, CLASS_NAMES, EXPRESSIONS, SPLIT_FOLDERS, USAGES

TEXT_TYPES = (".csv", ".tsv", ".tab", ".txt")
SEPARATORS = (",", ";", "\t")
_NEEDED = ("emotion", "pixels", "usage")
_WHOLE = re.compile(r"(\d)\.0*")
_USAGE_OF_SPLIT = {split: usage.encode() for usage, split in USAGES.items()}


def known_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the columns that are read, in alphabetical order; () if one is there twice.

    Example:
        >>> known_columns(("unnamed: 0", "pixels", "emotion"))
        ('emotion', 'pixels')
    """
    known = tuple(name for name in _NEEDED if name in columns)
    return known if all(columns.count(name) == 1 for name in known) else ()


def encoding_of(start: bytes) -> str | None:
    """Returns the encoding of a UTF-16 text, or None for a text of single bytes.

    Args:
        start: its first bytes.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    halves = start[0:1] == b"\0", start[1:2] == b"\0"
    return {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get(halves)


def open_as_utf8(opened: Callable[[], IO[bytes]], encoding: str) -> IO[bytes]:
    """Opens a text of another encoding as a binary stream of UTF-8."""
    return cast("IO[bytes]", codecs.EncodedFile(opened(), "utf-8", encoding))


def separator_of(header: str) -> str:
    """Returns the character that separates the columns of a header."""
    for separator in SEPARATORS:
        if "pixels" in split_header(header, separator):
            return separator
    return SEPARATORS[0]


def split_header(header: str, separator: str = ",") -> tuple[str, ...]:
    """Returns the column names of a header, in lower case, without spaces and quotes."""
    return tuple(field.strip().strip('"').strip().lower() for field in header.split(separator))


def label_of(text: bytes, class_names: tuple[str, ...] = CLASS_NAMES) -> int | None:
    """Returns the label of a text such as "3.0" or "Happy"; None if it is not a class.

    Args:
        text: what the column emotion holds.
        class_names: in the order of the labels.
    """
    name = text.decode("utf-8", "replace").strip().lower()
    number = _WHOLE.fullmatch(name)
    if number:
        return int(number[1]) if int(number[1]) < len(class_names) else None
    expression = EXPRESSIONS.get(name)
    return class_names.index(expression) if expression in class_names else None


def usage_of(text: bytes) -> bytes | None:
    """Returns the Usage of a text such as "training", "PRIVATETEST" or "val"; None if unknown."""
    name = text.decode("utf-8", "replace").lower().replace(" ", "").replace("_", "")
    return _USAGE_OF_SPLIT.get(SPLIT_FOLDERS.get(name, ""))


def csv_classes(stem: str) -> tuple[str, ...]:
    """Returns the classes that a CSV file may have by its name: CK+ has contempt as label 7.

    Args:
        stem: the name of the file, without its ending.
    """
    return CKEXTENDED if stem.lower().startswith("ck") else CLASS_NAMES
