"""Pixel texts ("70 80 82 ...") to bytes: many rows at once, every value checked on the way.

A table turns the three bytes before a space into a value. It knows the 256 ways in which a pixel is normally written and nothing
else, so that whatever is unusual in a text is noticed for free and left to the slow and talkative way.
"""

import functools

import numpy as np

SIZE = 48
PIXELS = SIZE * SIZE
_SPACE = 32
_PIECE = 3  # rows at once: memory for more would go back to the system after each, which takes as long as the work


@functools.cache
def _values() -> np.ndarray:
    """(2**24,) uint16: value + 1 for the three bytes before a space, 0 for what no pixel ends with."""
    table = np.zeros(1 << 24, np.uint16)  # never touched pages cost no memory
    for value in range(256):
        text = str(value).encode()
        befores = [b"", b" ", [b"%c " % byte for byte in b" 0123456789"]][3 - len(text)]
        for before in befores if isinstance(befores, list) else [befores]:
            table[int.from_bytes(before + text, "little")] = value + 1
    return table


def parse_rows(texts: list[bytes]) -> np.ndarray | None:
    """Reads rows of pixels that are written in the usual way.

    Args:
        texts: one text for each image: 2,304 numbers from 0 to 255, one space between two.

    Returns:
        uint8 array (rows, 48, 48), or None when any row is written differently: `parse_row` then finds out how.
    """
    images = np.empty((len(texts), PIXELS), np.uint8)
    for start in range(0, len(texts), _PIECE):
        piece = texts[start : start + _PIECE]
        if not _parse_piece(piece, images[start : start + len(piece)]):
            return None
    return images.reshape(len(texts), SIZE, SIZE)


def _parse_piece(texts: list[bytes], out: np.ndarray) -> bool:
    """Parses into uint8 (rows, 2304); False when a row is unusual."""
    raw = b"  " + b" ".join(texts) + b" "
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8, offset=2) == _SPACE)
    if len(ends) != out.size or ends[0] == 0 or ends[0] > 3 or (ends[1:] - ends[:-1]).max() > 4:
        return False
    if (ends[PIXELS - 1 :: PIXELS] != np.cumsum([len(text) + 1 for text in texts]) - 1).any():
        return False
    quadruples = np.ndarray((len(raw) - 3,), "<u4", raw, 0, (1,))  # the four bytes from each place on, unaligned
    ends -= 1
    triples = quadruples.take(ends)
    triples &= 0xFFFFFF
    values = _values().take(triples)
    if not values.all():
        return False
    values -= 1
    out[:] = values.reshape(out.shape)
    return True


def parse_row(text: bytes) -> tuple[np.ndarray | None, str]:
    """Reads one row that may be wrong: (48, 48) uint8 and "", or None and what is wrong with it, in words."""
    words = text.split()
    if not words:
        return None, "no pixels"
    for word in words:
        if not word.isdigit():
            kind = "a negative value" if word[:1] == b"-" and word[1:].isdigit() else "not a whole number"
            return None, f"pixel {_shown(word)} is {kind}, expected 0 to 255"
        if int(word[:9]) > 255:
            return None, f"pixel {_shown(word)} is over 255, expected 0 to 255"
    if len(words) != PIXELS:
        return None, f"{len(words)} pixels, expected {PIXELS} (48x48)"
    return np.array([int(word) for word in words], np.uint8).reshape(SIZE, SIZE), ""


def _shown(word: bytes) -> str:
    text = word.decode("utf-8", "replace")
    return repr(text if len(text) <= 20 else text[:17] + "...")
