"""What weights were trained on: a record inside every model file.

The record lists the datasets and has a short hash of every training image, so that a later
evaluation can tell which of its images the weights have learned. A .keras file has it as a further
member of its zip archive, an exported file among its other texts.
"""

import base64
import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any, Self

import numpy as np

from ferkit.errors import UserError
from ferkit.files import written_atomically

TRAINED_ON = "trained_on.json"  # name of the record in a model file
HASH_BYTES = 5  # two of 28,709 and 3,589 different images share one by a chance of 1 in 10,000
MAX_BYTES = 64 * 2**20  # of a record; enough for 10 million images


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """The training data of weights, including those of their initial weights and teachers.

    Attributes:
        datasets: for each dataset "dataset" (its kind), "split", "images" (how many) and
            "rows_sha256" (of ``fingerprint.fingerprint_of``).
        hashes: uint64, sorted, each once: ``learned.image_hashes`` of the training images.
        complete: False if other weights of unknown training took part.

    Example:
        >>> record = read_trained_on("runs/first/best.keras")
        >>> record.datasets[0]["dataset"], len(record.hashes)
        ('fer2013', 28709)
    """

    datasets: tuple[dict[str, Any], ...] = ()
    hashes: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, np.uint64))
    complete: bool = False

    def __or__(self, other: Self) -> "TrainedOn":
        """The record of weights that were trained on both."""
        new = [entry for entry in other.datasets if entry not in self.datasets]
        return TrainedOn(
            (*self.datasets, *new),
            np.union1d(self.hashes, other.hashes),
            self.complete and other.complete,
        )

    def summary(self) -> dict[str, Any]:
        """The record without its hashes."""
        return {
            "datasets": list(self.datasets),
            "images": len(self.hashes),
            "complete": self.complete,
        }

    def describe(self) -> str:
        """The datasets in words, for the terminal and for model cards."""
        known = " and ".join(
            f"{entry['dataset']} {entry['split']} ({entry['images']:,} images)"
            for entry in self.datasets
        )
        if self.complete:
            return known
        return f"{known} and others that are not recorded" if known else "not recorded"

    def to_text(self) -> str:
        """The record as JSON."""
        short = self.hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -HASH_BYTES:]
        return json.dumps({**self.summary(), "hashes": base64.b64encode(short.tobytes()).decode()})

    @classmethod
    def from_text(cls, text: str | bytes, path: str | Path) -> Self:
        """The record of that JSON.

        Raises:
            UserError: it is damaged; names the file `path`.
        """
        try:
            record = json.loads(text)
            short = np.frombuffer(base64.b64decode(record["hashes"]), np.uint8)
            padded = np.zeros((len(short) // HASH_BYTES, 8), np.uint8)
            padded[:, -HASH_BYTES:] = short.reshape(-1, HASH_BYTES)
            datasets = tuple(
                {
                    "dataset": str(entry["dataset"]),
                    "split": str(entry["split"]),
                    "images": int(entry["images"]),
                    "rows_sha256": str(entry["rows_sha256"]),
                }
                for entry in record["datasets"]
            )
            hashes = padded.view(">u8").ravel().astype(np.uint64)
            return cls(datasets, np.unique(hashes), bool(record["complete"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"its record {TRAINED_ON} of the training data is damaged"
            raise UserError(path, problem, "copy it again") from error


def read_trained_on(path: str | Path) -> TrainedOn:
    """The record in a .keras or .tflite file; an empty, incomplete one if it has none.

    Raises:
        UserError: the record is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(TRAINED_ON).file_size > MAX_BYTES:
                raise ValueError("too large")
            text = archive.read(TRAINED_ON)
    except KeyError:
        return TrainedOn()
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(path, "its record of the training data cannot be read") from error
    return TrainedOn.from_text(text, path)


def write_trained_on(path: str | Path, record: TrainedOn) -> None:
    """Write the record into a .keras or .tflite file; an earlier record is replaced."""
    _remove_trained_on(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(TRAINED_ON, record.to_text(), zipfile.ZIP_DEFLATED)


def _remove_trained_on(path: str | Path) -> None:
    """Write the file again without its record, if it has one."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if all(member.filename != TRAINED_ON for member in members):
            return
        kept = [(m, archive.read(m)) for m in members if m.filename != TRAINED_ON]
    model = Path(path).read_bytes()[: min(member.header_offset for member in members)]
    with written_atomically(path) as draft:
        draft.write_bytes(model)  # a .tflite file begins with the model, a .keras file does not
        with zipfile.ZipFile(draft, "a") as archive:
            for member, content in kept:
                archive.writestr(member, content)
