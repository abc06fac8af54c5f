"""Writes sample faces to a Kaggle CSV, for `--sample`.

They are drawn, so that set-up, training and evaluation run without a download.

Reference: Ekman and Friesen, Facial Action Coding System, 1978. The units of each expression follow
the prototypes of Ekman, Friesen and Hager's FACS Investigator's Guide, 2002, with common variants.
"""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from generate_data.errors import DataError
from generate_data.samples.expressions import draw_face

SAMPLE_CSV = "fer2013.csv"
SAMPLE_MARKER = ".sample"
_KAGGLE_FILES = {"fer2013.csv", "icml_face_data.csv", "train.csv", "test.csv", "fer2013.tar.gz"}
# Rows of each class in a block of 50: unbalanced like FER2013, but with enough disgust.
_CLASS_ROWS = (7, 2, 7, 12, 8, 6, 8)
_BLOCK = sum(_CLASS_ROWS)
_DIGITS = [str(value) for value in range(256)]


def sample_labels(count: int, seed: int = 0) -> np.ndarray:
    """Returns the labels of the first `count` rows, int64 (count,); a larger count appends rows."""
    block = np.repeat(np.arange(len(_CLASS_ROWS)), _CLASS_ROWS)
    blocks = [
        np.random.default_rng([seed, number, 1]).permutation(block)
        for number in range(-(-count // _BLOCK))
    ]
    return np.concatenate([*blocks, np.empty(0, np.int64)])[:count]


def _rows(count: int, seed: int) -> Iterator[str]:
    """Yields CSV lines.

    Of ten faces of each class, eight are Training, one is PublicTest and one is PrivateTest.
    """
    seen = [0] * len(_CLASS_ROWS)
    for index, label in enumerate(sample_labels(count, seed).tolist()):
        usage = {3: "PublicTest", 7: "PrivateTest"}.get(seen[label] % 10, "Training")
        seen[label] += 1
        face = draw_face(label, np.random.default_rng([seed, index, 0]))
        yield f"{label},{' '.join([_DIGITS[pixel] for pixel in face.ravel().tolist()])},{usage}\n"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_sample(csv: Path) -> bool:
    """Returns whether the marker file contains the digest of the CSV."""
    try:
        digests = (csv.parent / SAMPLE_MARKER).read_text(encoding="ascii").split()
        return _digest(csv) in digests
    except (OSError, ValueError):
        return False


def _refuse_real_data(folder: Path) -> None:
    """Raises DataError if the folder contains Kaggle files that `--sample` did not write."""
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        if name not in _KAGGLE_FILES and not name.endswith(".zip"):
            continue
        if name == SAMPLE_CSV and _is_sample(path):
            continue
        raise DataError(
            path,
            "this file was not drawn by --sample, and sample faces would replace it",
            "give --sample another folder (-d sample_data), or omit --sample to use the file. "
            "Nothing was changed",
        )


def _mark(folder: Path, digests: list[str]) -> None:
    temporary = folder / f"{SAMPLE_MARKER}.{os.getpid()}.tmp"
    temporary.write_text("".join(f"{digest}\n" for digest in digests), encoding="ascii")
    os.replace(temporary, folder / SAMPLE_MARKER)


def _write(target: Path, count: int, seed: int, progress: bool) -> None:
    folder = target.parent
    target = Path(os.path.realpath(target))  # a link stays, and its target is replaced
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as file:
            rows = tqdm(
                _rows(count, seed), "Drawing sample faces", count, unit="face", disable=not progress
            )
            for line in itertools.chain(["emotion,pixels,Usage\n"], rows):
                digest.update(line.encode())
                file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        before = [_digest(target)] if target.exists() else []
        # Both digests first: after a kill between the two replacements, the marker is still valid.
        _mark(folder, [digest.hexdigest(), *before])
        os.replace(temporary, target)
        _mark(folder, [digest.hexdigest()])
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_sample(
    folder: str | os.PathLike, count: int = 2100, seed: int = 0, progress: bool = True
) -> Path:
    """Draws faces and writes them to fer2013.csv, with the columns of Kaggle's file.

    The same arguments give the same bytes. Face `i` depends only on (seed, i), so a larger count
    keeps the first rows. From 200 rows on, every split contains every class. The file `.sample` in
    the same folder contains the SHA-256 of the CSV, so that a later run recognizes it as a sample
    and may replace it. The write is atomic.

    Args:
        folder: the folder to write to; it is created if it is missing.
        count: number of faces.
        seed: seed of the faces.
        progress: show a progress bar on stderr.

    Returns:
        The path of the CSV.

    Raises:
        DataError: the folder contains Kaggle files that were not drawn, or cannot be written.
    """
    if count < 1 or seed < 0:
        problem = (
            f"count must be at least 1 and seed at least 0, received count={count}, seed={seed}"
        )
        raise DataError("--sample", problem, "give valid numbers")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_real_data(folder)
        _write(folder / SAMPLE_CSV, count, seed, progress)
    except OSError as error:
        reason = error.strerror or error
        problem = f"sample faces cannot be written ({reason})"
        raise DataError(folder, problem, "give a folder with write permission") from error
    return folder / SAMPLE_CSV
