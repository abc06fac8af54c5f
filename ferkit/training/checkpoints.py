"""Checkpoints of a run: the last two, each complete or absent, verified when read."""

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ferkit.errors import UserError
from ferkit.files import written_atomically

KEPT = 2
_NAME = re.compile(r"state-(\d{6})-(\d{8})\.npz")


class Checkpoints:
    """The folder ``backup`` of a run.

    A checkpoint is one file, ``state-EPOCH-STEP.npz``: all that a resume needs, as arrays without
    pickles and a JSON text.

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
            content: dict[str, Any] = {"position": np.array(json.dumps(position)), **arrays}
            np.savez(out, **content)
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
            except _DamagedError as damage:
                self.warnings.append(f"{path}: damaged ({damage}); using the checkpoint before it.")
        if files:
            problem = "damaged, like every other checkpoint, so the run cannot be resumed"
            raise UserError(files[0], problem, "start a new run; best.keras can still be evaluated")
        return None

    def position(self) -> dict[str, Any] | None:
        """The position of the newest intact checkpoint, without arrays; None if there is none."""
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


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
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
