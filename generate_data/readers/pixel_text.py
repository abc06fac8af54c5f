"""The parser of pixel texts ("70 80 82 ..."): many rows at once, with every value checked.

A table maps the three bytes before a space to a value. It contains only the 256 usual ways to write
a pixel, so it detects unusual text at no cost. `parse_row` then parses that row and explains errors.
"""

import functools

import numpy as np

SIZE = 48
PIXELS = SIZE * SIZE
_SPACE = 32
_FIRST = {str(value).encode(): value + 1 for value in range(256)}


@functools.cache
def _values() -> np.ndarray:
    """Returns (2**24,) uint16: value + 1 for the three bytes before a space, 0 if not a pixel."""
    table = np.zeros(1 << 24, np.uint16)  # untouched pages use no memory
    for value in range(256):
        text = str(value).encode()
        prefixes = [[b""], [b" "], [b"%c " % byte for byte in b" 0123456789"]][3 - len(text)]
        for prefix in prefixes:
            table[int.from_bytes(prefix + text, "little")] = value + 1
    return table


def _values_before(raw: bytes, ends: np.ndarray) -> np.ndarray:
    """Returns uint16 value + 1 of the number that ends before each position, 0 if it is unusual.

    Positions are 3 or more.
    """
    quadruples = np.ndarray(
        (len(raw) - 3,), "<u4", raw, 0, (1,)
    )  # the four bytes from each place on, unaligned
    triples = quadruples.take(ends - 3)
    triples &= 0xFFFFFF
    return _values().take(triples)


def parse_lines(raw: bytes) -> tuple[np.ndarray, list[list[bytes]]] | None:
    """Reads lines of a CSV file whose last column is the unquoted pixels, all lines at once.

    Args:
        raw: a few lines, each with its line end.

    Returns:
        uint8 array (lines, 48, 48) and the other fields of each line, or None if any line has
        another format.
    """
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) <= _SPACE)
    count, rest = divmod(len(ends), PIXELS)
    stops = ends[PIXELS - 1 :: PIXELS].tolist()
    begins = [0, *(stop + 1 for stop in stops[:-1])]
    if (
        count == 0
        or rest
        or any(raw.find(b"\n", begin) != stop for begin, stop in zip(begins, stops, strict=True))
    ):
        return None
    gaps = ends[1:] - ends[:-1]
    gaps[PIXELS - 1 :: PIXELS] = 0  # from one line to the next: more than a pixel
    heads = [
        raw[begin:end].split(b",")
        for begin, end in zip(begins, ends[::PIXELS].tolist(), strict=True)
    ]
    firsts = [_FIRST.get(head.pop(), 0) for head in heads]
    if gaps.max() > 4 or 0 in firsts or ends[1] < 3:
        return None
    ends[0] = max(ends[0], 3)  # its value comes from `firsts`
    values = _values_before(raw, ends)
    values[::PIXELS] = firsts
    if not values.all():
        return None
    values -= 1
    return values.astype(np.uint8).reshape(count, SIZE, SIZE), heads


def parse_row(text: bytes) -> tuple[np.ndarray | None, str]:
    """Reads one row that may be wrong.

    Returns:
        (48, 48) uint8 and "", or None and what is wrong with the row.
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
            return None, f"pixel {_quoted(word)} is {kind}, expected 0 to 255"
        if int(word[:9]) > 255:
            return None, f"pixel {_quoted(word)} is over 255, expected 0 to 255"
    if len(words) != PIXELS:
        return None, f"{len(words)} pixels, expected {PIXELS} (48x48)"
    return np.array([int(word) for word in words], np.uint8).reshape(SIZE, SIZE), ""


def _quoted(word: bytes) -> str:
    text = word.decode("utf-8", "replace")
    return repr(text if len(text) <= 20 else text[:17] + "...")
