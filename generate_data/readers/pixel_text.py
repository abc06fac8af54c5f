"""Converts pixel texts ("70 80 82 ...") to arrays: many rows at once, with every value checked.

`parse_lines` reads rows in the usual notation. It rejects any other text; `parse_row` then reads it
or explains what is wrong.
"""

import numpy as np

SIZE = 48
PIXELS = SIZE * SIZE
_LONGEST_NUMBER = 9  # characters, with zeros in front
_SPACE, _ZERO = np.frombuffer(b" 0", np.uint8)


def parse_lines(raw: bytes) -> tuple[np.ndarray, list[list[bytes]]] | None:
    """Reads complete lines of a CSV file whose last column is the pixels, unquoted.

    Args:
        raw: lines, each with its line end.

    Returns:
        uint8 array (lines, 48, 48) and the other fields of each line, or None if any line has
        another notation.
    """
    fields = [line.split(b",") for line in raw.split(b"\n")[:-1]]
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
    """Reads one row in any notation.

    Returns:
        uint8 (48, 48) and "", or None and what is wrong with the row.
    """
    words = text.split()
    if not words:
        return None, "no pixels"
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
