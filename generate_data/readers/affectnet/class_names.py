"""Files that say which class a number is: classes.txt beside class folders, YOLO's data.yaml."""

import re
from pathlib import Path

from generate_data.errors import DataError, foreign_format

# A name with letters, with its number before or after it or without one.
_LINE = re.compile(r"(?:(\d+)\W+)?([^\W\d](?:[\w -]*[^\W\d])?)(?:\W+(\d+))?\W*")
_NAMES = re.compile(r"^names:(.*?)(?=^\w|\Z)", re.MULTILINE | re.DOTALL)
# An item of a list or of a map in YAML: "- Anger", "[Anger, ", "0: Anger".
_ITEM = re.compile(
    r"""(?:^[ ]*-|^[ ]*(?P<key>\d+)[ ]*:|[\[,{]\s*(?:(?P<flow_key>\d+)[ ]*:)?)"""
    r"""\s*['"]?(?P<name>[^'"\s,\[\]{}#:][^'",\[\]{}#:\n]*)""",
    re.MULTILINE,
)


def read_classes_txt(file: Path) -> dict[int, str]:
    """Reads one class name a line, each with its number or in the order of the numbers from 0.

    Raises:
        DataError: the file cannot be read, a line is something else, or a number is there twice.
    """
    names: dict[int, str] = {}
    lines = [line.strip() for line in _text(file).splitlines() if line.strip()]
    for position, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        number = int(found[1] or found[3] or position) if found else -1
        if found is None or number in names:
            fault = f"number {number} twice" if found else "expected a class name a line"
            problem = f"line {position + 1}, {line[:60]!r}: {fault}, such as '0 anger' or 'anger'"
            raise DataError(file, problem, "correct it or remove it")
        names[number] = found[2]
    return names


def read_yolo_names(file: Path) -> dict[int, str]:
    """Reads the class names of YOLO's data.yaml: `names`, a list or a map from numbers.

    Raises:
        DataError: the file cannot be read, or has no names.
    """
    block = _NAMES.search(_text(file))
    names = {}
    for position, item in enumerate(_ITEM.finditer(block[1]) if block else ()):
        names[int(item["key"] or item["flow_key"] or position)] = item["name"].strip()
    if not names:
        advice = "download it again, or write a line such as names: ['Anger', 'Contempt', ...]"
        raise DataError(file, "no class names in it (names)", advice)
    return names


def _text(file: Path) -> str:
    with foreign_format(DataError, file, "cannot be read", "check its permissions"):
        return file.read_text(encoding="utf-8-sig", errors="replace")
