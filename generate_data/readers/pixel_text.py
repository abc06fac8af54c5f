"""Converts pixel texts ("70 80 82 ...") to arrays: many rows at once, with every value checked.

`parse_lines` reads rows in the usual notation. It rejects any other text; `parse_row` then reads it
or explains what is wrong.
"""

import numpy as np

from generate_data.rows import CUT_OFF, EXCEL_CELL

SIZE = 48
PIXELS = SIZE * SIZE
_LONGEST_NUMBER = 9  # characters, with zeros in front
_BRACKETS_AND_COMMAS = bytes.maketrans(b"[](),;'", b"       ")
_ROUNDED_OFF = 0.02  # gray values; four decimals of 1/255 are off by 0.013 at most
_SPACE, _ZERO = np.frombuffer(b" 0", np.uint8)


def parse_lines(raw: bytes, separator: bytes = b",") -> tuple[np.ndarray, list[list[bytes]]] | None:
    """Reads complete lines of a CSV file whose last column is the pixels, unquoted.

    Args:
        raw: lines, each with its line end.
        separator: what separates the columns.

    Returns:
        uint8 array (lines, 48, 48) and the other fields of each line, or None if any line has
        another notation.
    """
    fields = [line.split(separator) for line in raw.split(b"\n")[:-1]]
    images = _parse_pixels([line.pop() for line in fields])
    return None if images is None else (images, fields)


def _parse_pixels(texts: list[bytes]) -> np.ndarray | None:
    """Returns uint8 (texts, 48, 48), or None if any text has another notation.

    The notation: 2,304 numbers of 1 to 3 digits, with one space between them.
    """
    raw = np.frombuffer(b" ".join([*texts, b""]), np.uint8)
    is_digit = raw != _SPACE
    ends = np.flatnonzero(~is_digit)
    row_ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    if len(ends) != len(texts) * PIXELS or not np.array_equal(ends[PIXELS - 1 :: PIXELS], row_ends):
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    digits = (raw - _ZERO) * is_digit  # spaces become 0, other characters more than 9
    if not len(ends) or lengths.min() < 1 or lengths.max() > 3 or digits.max() > 9:
        return None
    numbers = digits.astype(np.uint16)  # formed by the digits up to each position: first two,
    numbers[1:] += 10 * digits[:-1]
    numbers *= is_digit
    numbers[1:] = 10 * numbers[:-1] + digits[1:]  # then three
    values = numbers.take(ends - 1)
    return None if values.max() > 255 else values.astype(np.uint8).reshape(-1, SIZE, SIZE)


def parse_row(text: bytes) -> tuple[np.ndarray | None, str]:
    """Reads one row in any notation: "70 80", "[70, 80]", "70.0 80.0" or, divided by 255, "0.275".

    Returns:
        uint8 (48, 48) and "", or None and what is wrong with the row.
    """
    words = text.translate(_BRACKETS_AND_COMMAS).split()
    if not words:
        return None, "no pixels"
    if b"." in text:
        words = _without_fractions(words)
    images = _parse_pixels([b" ".join(words)])
    if images is not None:
        return images[0], ""
    if EXCEL_CELL - 2 <= len(text) <= EXCEL_CELL:
        return None, f"the cell {CUT_OFF}"
    return _parse_words(words)


def _without_fractions(words: list[bytes]) -> list[bytes]:
    """Returns the words with whole numbers such as "70.0" as "70".

    If all of them are multiples of 1/255 from 0 to 1, rounded, they are multiplied by 255.
    """
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        return words
    if not np.isfinite(values).all():
        return words
    scaled = values * 255
    if ((values >= 0) & (values <= 1)).all() and (values % 1 > 0).any():
        if (np.abs(scaled - scaled.round()) < _ROUNDED_OFF).all():
            return [b"%d" % value for value in scaled.round()]
        return words
    return [
        b"%d" % value if value.is_integer() else word
        for value, word in zip(values.tolist(), words, strict=True)
    ]


def _parse_words(words: list[bytes]) -> tuple[np.ndarray | None, str]:
    """Reads the numbers of one row, each checked, or finds out what is wrong with them."""
    if b"..." in words:
        return None, "the program that saved the file replaced most pixels by '...'"
    for word in words:
        if not word.isdigit():
            kind = (
                "a negative value"
                if word[:1] == b"-" and word[1:].isdigit()
                else "not a whole number"
            )
            return None, f"pixel {_quote(word)} is {kind}, expected 0 to 255"
        if len(word) > _LONGEST_NUMBER or int(word) > 255:
            return None, f"pixel {_quote(word)} is over 255, expected 0 to 255"
    if len(words) != PIXELS:
        return None, f"{len(words)} pixels, expected {PIXELS} (48x48)"
    return np.array([int(word) for word in words], np.uint8).reshape(SIZE, SIZE), ""


def _quote(word: bytes) -> str:
    text = word.decode("utf-8", "replace")
    return repr(text if len(text) <= 20 else text[:17] + "...")
