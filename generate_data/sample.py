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
from generate_data.sample_face import render

ACTION_UNITS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
    43: "eyes closed",
}

# label: variants of the expression, each {action unit: mean intensity}; a variant is drawn with equal chance.
EXPRESSIONS = {
    0: [  # angry: pressed lips, or a shout
        {4: 0.9, 5: 0.4, 7: 0.6, 23: 0.7, 24: 0.8, 17: 0.3},
        {4: 0.9, 7: 0.7, 23: 0.9, 17: 0.5},
        {4: 1.0, 5: 0.5, 7: 0.5, 10: 0.6, 25: 0.9, 26: 0.5, 16: 0.4},
    ],
    1: [  # disgust
        {9: 1.0, 15: 0.5, 16: 0.5, 17: 0.4, 4: 0.3},
        {9: 0.9, 10: 0.9, 25: 0.6, 16: 0.6, 7: 0.4},
        {10: 1.0, 9: 0.6, 17: 0.7, 15: 0.4, 6: 0.3},
    ],
    2: [  # fear
        {1: 0.9, 2: 0.5, 4: 0.6, 5: 1.0, 7: 0.2, 20: 0.9, 25: 0.7, 26: 0.3},
        {1: 0.9, 2: 0.6, 4: 0.5, 5: 0.9, 20: 0.7, 25: 0.9, 26: 0.7},
        {1: 0.8, 4: 0.7, 5: 0.8, 20: 0.9, 25: 0.3},
    ],
    3: [  # happy: closed smile, smile with teeth, laugh
        {6: 0.6, 12: 0.8},
        {6: 0.8, 12: 1.0, 25: 0.9},
        {6: 0.9, 12: 1.0, 25: 1.0, 26: 0.7},
        {12: 0.8, 25: 0.7},
    ],
    4: [  # sad
        {1: 0.9, 4: 0.6, 15: 0.9, 17: 0.3},
        {1: 0.7, 4: 0.7, 15: 0.8, 17: 0.8, 43: 0.3},
        {1: 0.9, 4: 0.4, 15: 0.7, 25: 0.4, 7: 0.3},
    ],
    5: [  # surprise
        {1: 0.9, 2: 0.9, 5: 0.9, 25: 0.6, 26: 0.8},
        {1: 1.0, 2: 1.0, 5: 1.0, 25: 0.6, 27: 0.8},
        {1: 0.9, 2: 0.9, 5: 0.7, 25: 0.8, 26: 0.4},
    ],
    6: [{}],  # neutral
}


def draw_action_units(expression: int, rng: np.random.Generator) -> dict[int, float]:
    """Intensities in 0..1.2 of every action unit: the expression's own, some faint or missing, and a few strays."""
    variants = EXPRESSIONS[expression]
    variant = variants[rng.integers(len(variants))]
    strength = rng.uniform(0.55, 1.15)
    spread, missing, stray = rng.uniform(0.6, 1.3, 50), rng.random(50) < 0.09, rng.random(50) < 0.06
    faint = rng.uniform(0.1, 0.4, 50)
    missing[2] = missing[1]  # the frontalis lifts both halves of a brow: an outer raise alone would read as anger
    intensities = {}
    for unit in ACTION_UNITS:
        own = 0.0 if missing[unit] else min(1.2, variant.get(unit, 0.0) * strength * spread[unit])
        intensities[unit] = float(max(own, faint[unit] if stray[unit] else 0.0))
    return intensities


def draw_face(expression: int, rng: np.random.Generator) -> np.ndarray:
    """One face, uint8 of shape (48, 48), showing class 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise or 6 neutral."""
    return render(draw_action_units(expression, rng), rng)


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
    blocks = [np.random.default_rng([seed, number, 1]).permutation(block) for number in range(-(-count // _BLOCK))]
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
            rows = tqdm(_rows(count, seed), "Drawing sample faces", count, unit="face", disable=not progress)
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


def write_sample(folder: str | os.PathLike, count: int = 2100, seed: int = 0, progress: bool = True) -> Path:
    """Draws `count` faces into `folder/fer2013.csv`, columns emotion, pixels and Usage as in Kaggle's file.

    The same arguments give the same bytes. Face `i` depends on (seed, i) alone, so a larger count keeps the first
    rows. From 200 rows on, every split holds every class. `.sample` beside the file holds its SHA-256: by it a later
    run knows that the file is drawn and may be replaced. The write is atomic.

    Raises:
        DataError: the folder holds Kaggle files that were not drawn, or cannot be written.
    """
    if count < 1 or seed < 0:
        raise DataError(f"--sample: count must be at least 1 and seed at least 0. Received: count={count}, seed={seed}")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_files(folder)
        _write(folder / SAMPLE_CSV, count, seed, progress)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{folder}: sample faces cannot be written ({reason}). Give a folder you may write to.") from error
    return folder / SAMPLE_CSV
