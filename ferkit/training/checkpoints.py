"""Checkpoints of a run: the last two, each whole or absent, verified when read."""

import json
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ferkit.errors import UserError
from ferkit.files import written_atomically

KEPT = 2
_NAME = re.compile(r"state-(\d{6})-(\d{8})\.npz")


class Checkpoints:
    """The folder ``backup`` of a run.

    A checkpoint is one file, ``state-EPOCH-STEP.npz``: everything a resume needs, as arrays without pickles and a JSON text.

    Example:
        >>> checkpoints.save({"epoch": 3, "step": 120}, {"v0": weights})
        >>> position, arrays = checkpoints.load()
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.said = []  # what load() has to say

    def files(self) -> list[Path]:
        """The checkpoints there are, newest first."""
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(
            (path for path in there if _NAME.fullmatch(path.name)),
            key=lambda path: path.name,
            reverse=True,
        )

    def save(self, position: dict, arrays: dict[str, np.ndarray]):
        """Write a checkpoint, flushed to the disk, then let go of all but the last two.

        Args:
            position: JSON values, "epoch" and "step" among them.
            arrays: every variable.

        Raises:
            UserError: it cannot be written; those there stay.
        """
        path = self.folder / f"state-{position['epoch']:06d}-{position['step']:08d}.npz"
        with written_atomically(path, flush=True) as draft, open(draft, "wb") as out:
            np.savez(out, position=np.array(json.dumps(position)), **arrays)
        # Later ones than this were damaged, or are of a future that did not happen.
        kept = [file for file in self.files() if file.name <= path.name][:KEPT]
        for other in set(self.files()) - set(kept):
            other.unlink(missing_ok=True)

    def load(self) -> tuple[dict, dict[str, np.ndarray]] | None:
        """The newest whole checkpoint; None when there is no file. What was damaged is told in ``said``.

        Raises:
            UserError: there are files, and none is whole, or what is there is an older version's.
        """
        files = self.files()
        if (
            not files and (self.folder / "state.npz").exists()
        ):  # to start over would overwrite that run
            raise UserError(
                f"{self.folder / 'state.npz'}: a checkpoint of an older version, which this one cannot resume; evaluate the "
                "run's best.keras, or start a new run."
            )
        for path in files:
            try:
                return _read(path)
            except _DamagedError as damage:
                self.said.append(f"{path}: damaged ({damage}); taking the checkpoint before it.")
        if files:
            raise UserError(
                f"{files[0]}: damaged, and so is every other checkpoint; this run cannot be resumed. Its best.keras can still be "
                "evaluated. Start a new run."
            )
        return None

    def position(self) -> dict | None:
        """What the newest whole checkpoint says of itself, without the arrays; None without one. Quick."""
        for path in self.files():
            try:
                with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                    return json.loads(str(file["position"]))
            except _DAMAGE:
                continue
        return None


class _DamagedError(Exception):
    pass


_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
)


def _read(path):
    try:
        with zipfile.ZipFile(path) as file:
            broken = file.testzip()  # every byte against its checksum
        if broken:
            raise _DamagedError(f"{broken} does not match its checksum")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(str(arrays.pop("position"))), arrays
    except _DAMAGE as error:
        raise _DamagedError(type(error).__name__) from error
