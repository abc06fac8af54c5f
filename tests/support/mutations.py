"""Damaged versions of an archive, the same ones in every run."""

from collections.abc import Iterator

import numpy as np

DIRECTORY_ENTRY, DIRECTORY_END = b"PK\x01\x02", b"PK\x05\x06"


def mutations(content: bytes, count: int = 300) -> Iterator[bytes]:
    """Yields versions of a zip file with flipped bits, changed bytes, lost and repeated parts.

    The first ones change every bit of the flags of each entry in the central directory, and every
    byte of the record at its end, including the length of the comment.
    """
    entries = [i for i in range(len(content)) if content.startswith(DIRECTORY_ENTRY, i)]
    for entry in entries:
        for bit in range(16):
            yield _flipped(content, entry + 8 + bit // 8, bit % 8)
    end = content.rindex(DIRECTORY_END)
    for position in range(end, len(content)):
        for bit in range(8):
            yield _flipped(content, position, bit)
    random = np.random.default_rng(0)
    for number in range(count):
        start, stop = sorted(random.integers(0, len(content), 2).tolist())
        if number % 3 == 0:
            yield _flipped(content, start, int(random.integers(8)))
        elif number % 3 == 1:
            yield content[:start] + content[min(stop, start + 9) :]
        else:
            yield content[:stop] + content[start:]


def _flipped(content: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)
