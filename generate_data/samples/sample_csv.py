"""`--sample`: drawn faces in a Kaggle CSV, so that set-up, training and evaluation run without a download.

Reference: Ekman and Friesen, Facial Action Coding System, 1978; the units of each expression follow the prototypes
of Ekman, Friesen and Hager's FACS Investigator's Guide, 2002, with common variants.
"""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from generate_data.errors import DataError
from generate_data.samples.expressions import draw_face

SAMPLE_CSV = "fer2013.csv"
SAMPLE_MARKER = ".sample"
_KAGGLE_FILES = {"fer2013.csv", "icml_face_data.csv", "train.csv", "test.csv", "fer2013.tar.gz"}
# Of 50 rows, how many show each class: uneven as FER2013, but with enough disgust for small splits.
_CLASS_ROWS = (7, 2, 7, 12, 8, 6, 8)
_BLOCK = sum(_CLASS_ROWS)
_DIGITS = [str(value) for value in range(256)]


def sample_labels(count: int, seed: int = 0) -> np.ndarray:
    """Labels of the first `count` rows, int64 of shape (count,); a larger count only appends rows."""
    block = np.repeat(np.arange(len(_CLASS_ROWS)), _CLASS_ROWS)
    blocks = [
        np.random.default_rng([seed, number, 1]).permutation(block)
        for number in range(-(-count // _BLOCK))
    ]
    return np.concatenate([*blocks, np.empty(0, np.int64)])[:count]


def _rows(count: int, seed: int) -> Iterator[str]:
    """CSV lines. Of ten faces of a class eight are Training, one PublicTest, one PrivateTest, in every class alike."""
    seen = [0] * len(_CLASS_ROWS)
    for index, label in enumerate(sample_labels(count, seed).tolist()):
        usage = {3: "PublicTest", 7: "PrivateTest"}.get(seen[label] % 10, "Training")
        seen[label] += 1
        face = draw_face(label, np.random.default_rng([seed, index, 0]))
        yield f"{label},{' '.join([_DIGITS[pixel] for pixel in face.ravel().tolist()])},{usage}\n"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _written_by_us(csv: Path) -> bool:
    """Whether the marker beside the file holds its digest."""
    try:
        digests = (csv.parent / SAMPLE_MARKER).read_text(encoding="ascii").split()
        return _digest(csv) in digests
    except (OSError, ValueError):
        return False


def _refuse_foreign_files(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        if name not in _KAGGLE_FILES and not name.endswith(".zip"):
            continue
        if name == SAMPLE_CSV and _written_by_us(path):
            continue
        raise DataError(
            f"{path}: this file was not drawn by --sample, and sample faces would stand in for it or overwrite it; "
            "nothing was changed. Give --sample another folder (-d sample_data), or leave --sample out to use the file."
        )


def _mark(folder: Path, digests: list[str]) -> None:
    temporary = folder / f"{SAMPLE_MARKER}.{os.getpid()}.tmp"
    temporary.write_text("".join(f"{digest}\n" for digest in digests), encoding="ascii")
    os.replace(temporary, folder / SAMPLE_MARKER)


def _write(target: Path, count: int, seed: int, progress: bool) -> None:
    from tqdm import tqdm

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
        # Both digests first: killed between the two replacements, the file is still known as ours.
        _mark(target.parent, [digest.hexdigest(), *before])
        os.replace(temporary, target)
        _mark(target.parent, [digest.hexdigest()])
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_sample(
    folder: str | os.PathLike, count: int = 2100, seed: int = 0, progress: bool = True
) -> Path:
    """Draws `count` faces into `folder/fer2013.csv`, columns emotion, pixels and Usage as in Kaggle's file.

    The same arguments give the same bytes. Face `i` depends on (seed, i) alone, so a larger count keeps the first
    rows. From 200 rows on, every split holds every class. `.sample` beside the file holds its SHA-256: by it a later
    run knows that the file is drawn and may be replaced. The write is atomic.

    Raises:
        DataError: the folder holds Kaggle files that were not drawn, or cannot be written.
    """
    if count < 1 or seed < 0:
        raise DataError(
            f"--sample: count must be at least 1 and seed at least 0. Received: count={count}, seed={seed}"
        )
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_files(folder)
        _write(folder / SAMPLE_CSV, count, seed, progress)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"{folder}: sample faces cannot be written ({reason}). Give a folder you may write to."
        ) from error
    return folder / SAMPLE_CSV
