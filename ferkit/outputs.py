"""Names of outputs: no result replaces an input, another result, or a file of the user.

- A file that the user names (``--csv FILE``) is replaced, unless it is an input: `check_outputs`.
- A name that the program chooses in a folder (``--annotate DIR``) gets a number if it is an input,
  the name of another result, or an existing file. Only the earlier result of the same input, model
  and options is replaced: `OutputNames`.
"""

import hashlib
import itertools
import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ferkit.errors import UserError

_SEARCHED_BYTES = 65_536  # at the start and the end of a file, where its tag is

# The files of ``reporting.html_report``.
_REPORT_FILE = re.compile(
    r"(index\.html|figures\.json|picture\d+\.\w+"
    r"|(curves|confusion|per_class|calibration|risk_coverage|robustness)\.png)"
)


def is_same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths are the same regular file, also through links, or will be."""
    if os.path.exists(one) and os.path.exists(other):
        return os.path.isfile(one) and os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def check_outputs(
    outputs: Mapping[str, str | Path | None], inputs: Iterable[str | Path | None] = ()
) -> None:
    """Check that no output would replace an input or another output.

    Args:
        outputs: flag -> the file that it writes; None: none.
        inputs: all files that are read; None is passed over.

    Raises:
        UserError: an output is the same file as an input or another output.

    Example:
        >>> check_outputs({"--csv": "faces.csv"}, ["photo.jpg"])
    """
    written = [(flag, path) for flag, path in outputs.items() if path]
    read = [path for path in inputs if path]
    for index, (flag, path) in enumerate(written):
        for source in read:
            if is_same_file(path, source):
                problem = f"the same file as the input {source}, which it would replace"
                raise UserError(f"{flag} {path}", problem, "give another name")
        for earlier, other in written[:index]:
            if is_same_file(path, other):
                problem = f"the same file as {earlier} {other}"
                raise UserError(f"{flag} {path}", problem, "give two names")


def check_report_folder(flag: str, folder: str | Path) -> None:
    """Check that the folder of a report has no pages or pictures except those of a report.

    Args:
        flag: the flag that names the folder.
        folder: the folder.

    Raises:
        UserError: it is a file, or has an index.html or a picture that no report wrote.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{flag} {folder}", "is a file", "give a folder")
    found = [path.name for path in folder.glob("*") if _REPORT_FILE.fullmatch(path.name)]
    if found and not _is_report(folder / "figures.json"):
        problem = f"contains {min(found)}, which is not a report's and would be replaced"
        raise UserError(f"{flag} {folder}", problem, "give a new folder")


def _is_report(figures: Path) -> bool:
    try:
        return "confusion" in json.loads(figures.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return False


class OutputNames:
    """Chooses the files that a command writes into a folder.

    Args:
        folder: the folder of the results.
        wanted: source -> the names of its results. Where two sources want a name, the first has it.
        reserved: further files that no result may replace: inputs, and other outputs.
        settings: what the results depend on besides their source, such as the model file.

    Example:
        >>> names = OutputNames("marked", {"a/x.jpg": ["x.jpg"], "b/x.jpg": ["x.jpg"]})
        >>> names.paths("b/x.jpg")
        [PosixPath('marked/x-2.jpg')]
    """

    def __init__(
        self,
        folder: str | Path,
        wanted: Mapping[str, Sequence[str]],
        reserved: Iterable[str | Path | None] = (),
        settings: Sequence[object] = (),
    ) -> None:
        self.folder = Path(folder)
        self._wanted, self._settings = dict(wanted), tuple(map(str, settings))
        read = [*wanted, *(path for path in reserved if path)]
        self._reserved = {os.path.realpath(path) for path in read}
        self._identities = {_identity(path) for path in read if os.path.exists(path)}
        self._once = uuid.uuid4().hex
        self._owners: dict[str, str] = {}
        for source, names in wanted.items():
            for name in names:
                self._owners.setdefault(name, source)

    def paths(self, source: str | Path) -> list[Path]:
        """The files of a source, in the order of its wanted names, all with the same number."""
        source = str(source)
        for number in itertools.count(1):
            names = [_numbered(name, number) for name in self._wanted[source]]
            if all(self._is_free(name, source) for name in names):
                self._owners |= dict.fromkeys(names, source)
                return [self.folder / name for name in names]
        raise AssertionError("unreachable: a number is always free")

    def tag(self, source: str | Path) -> str:
        """A text for the content of a result, by which the same command recognizes it later.

        The tag of a camera or a stream is new in every run, because it cannot be recorded again.
        """
        origin = os.path.realpath(source) if os.path.exists(source) else self._once
        content = repr((origin, *self._settings)).encode(errors="surrogateescape")
        return f"ferkit {hashlib.sha256(content).hexdigest()[:20]}"

    def _is_free(self, name: str, source: str) -> bool:
        path = self.folder / name
        if self._owners.get(name, source) != source or os.path.realpath(path) in self._reserved:
            return False
        if not os.path.lexists(path):
            return True
        if not path.is_file() or _identity(path) in self._identities:
            return False
        return self.tag(source).encode() in _start_and_end(path)


def _numbered(name: str, number: int) -> str:
    if number == 1:
        return name
    stem, suffix = os.path.splitext(name)
    return f"{stem}-{number}{suffix}"


def _identity(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _start_and_end(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            start = file.read(_SEARCHED_BYTES)
            file.seek(max(0, path.stat().st_size - _SEARCHED_BYTES))
            return start + file.read()
    except OSError:
        return b""  # not readable, so not recognized
