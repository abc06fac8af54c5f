"""Checkpoints of a run: the last two, each complete or absent, verified when read."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ferkit.errors import UserError
from ferkit.files import written_atomically
from ferkit.verified_arrays import DamagedFileError, read_arrays, write_arrays

KEPT = 2
_NAME = re.compile(r"state-(\d{6})-(\d{8})\.npz")


class Checkpoints:
    """The folder ``backup`` of a run.

    A checkpoint is one file, ``state-EPOCH-STEP.npz``: all that a resume needs, as arrays without
    pickles, a JSON text, and the names and checksums of both.

    Attributes:
        warnings: messages of ``load`` about damaged files.

    Example:
        >>> checkpoints.save({"epoch": 3, "step": 120}, {"v0": weights})
        >>> position, arrays = checkpoints.load()
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.warnings: list[str] = []

    def files(self) -> list[Path]:
        """The existing checkpoints, newest first."""
        entries = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(
            (path for path in entries if _NAME.fullmatch(path.name)),
            key=lambda path: path.name,
            reverse=True,
        )

    def save(self, position: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write a checkpoint, flushed to the disk, and delete all except the last two.

        Args:
            position: JSON values, including "epoch" and "step".
            arrays: every variable.

        Raises:
            UserError: it cannot be written; the existing ones remain.
        """
        path = self.folder / f"state-{position['epoch']:06d}-{position['step']:08d}.npz"
        with written_atomically(path, flush=True) as draft, open(draft, "wb") as out:
            write_arrays(out, {"position": np.array(json.dumps(position)), **arrays})
        # Later checkpoints were damaged, or belong to a continuation that was given up.
        kept = [file for file in self.files() if file.name <= path.name][:KEPT]
        for other in set(self.files()) - set(kept):
            other.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """The newest intact checkpoint; None if there is no file. Damaged ones add to ``warnings``.

        Raises:
            UserError: all files are damaged, or made by an older version.
        """
        files = self.files()
        old = self.folder / "state.npz"
        if not files and old.exists():  # starting over would overwrite that run
            problem = "a checkpoint of an older version, which cannot be resumed"
            raise UserError(old, problem, "evaluate the run's best.keras, or start a new run")
        for path in files:
            try:
                return _read(path)
            except DamagedFileError as damage:
                self.warnings.append(f"{path}: damaged ({damage}); using the checkpoint before it.")
        if files:
            problem = "damaged, like every other checkpoint, so the run cannot be resumed"
            raise UserError(files[0], problem, "start a new run; best.keras can still be evaluated")
        return None

    def position(self) -> dict[str, Any] | None:
        """The position of the newest intact checkpoint, without arrays; None if there is none."""
        for path in self.files():
            try:
                return _read(path)[0]
            except DamagedFileError:
                continue
        return None


def _of_version_0_2(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a checkpoint without a list of checksums; None if it is not one, or damaged.

    Versions up to 0.2 wrote "position", v0, v1 and so on; zip's own checksums cover each.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if names != ["position", *(f"v{number}" for number in range(len(names) - 1))]:
                return None
            if archive.comment or archive.testzip():
                return None
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except Exception:  # the type of error depends on the damage
        return None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        arrays = read_arrays(path)
    except DamagedFileError:
        earlier = _of_version_0_2(path)
        if earlier is None:
            raise
        arrays = earlier
    try:
        return json.loads(str(arrays.pop("position"))), arrays
    except (KeyError, ValueError) as error:
        raise DamagedFileError("not a checkpoint") from error
