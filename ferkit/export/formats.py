"""The formats a model can be exported to. Plain data and checks that need nothing heavy."""

import dataclasses
import importlib
import importlib.util
from pathlib import Path

from ferkit.errors import UserError
from ferkit.files import write_error


@dataclasses.dataclass(frozen=True)
class Format:
    """Where a format's work is done, and what it needs.

    Attributes:
        name: as on the command line.
        module: of this package, with ``write(graph, path, about, int8)`` and ``load(path)``, which
            gives a function from images to probabilities that runs in the format's own runtime.
        runtime: the package that runs it, as its users import it.
        needs: import name -> what pip installs for it; {} where TensorFlow does it all.
        is_folder: whether it is written as a folder.
        int8: whether kernels are stored in 8 bits.
    """

    name: str
    module: str
    runtime: str
    needs: dict[str, str]
    is_folder: bool = False
    int8: bool = False

    def implementation(self):
        """The module; imports TensorFlow."""
        return importlib.import_module(f".{self.module}", __package__)


_LITERT = {"ai_edge_litert": "ai-edge-litert>=2.0.2,<3"}
_ONNX = {"tf2onnx": "tf2onnx>=1.17,<2", "onnxruntime": "onnxruntime>=1.20,<2"}
_ALL = (
    Format("savedmodel", "savedmodel", "tensorflow", {}, is_folder=True),
    Format("litert", "litert", "ai_edge_litert", _LITERT),
    Format("litert-int8", "litert", "ai_edge_litert", _LITERT, int8=True),
    Format("onnx", "onnx", "onnxruntime", _ONNX),
)
FORMATS = {each.name: each for each in _ALL}


def check_runtime(wanted: Format):
    """Raises UserError, which says what to install, where a package that the format needs is
    missing.
    """
    missing = [package for package in wanted.needs if importlib.util.find_spec(package) is None]
    if missing:
        quoted = " ".join(f'"{wanted.needs[package]}"' for package in missing)
        raise UserError(
            f"--format {wanted.name}: needs {' and '.join(missing)}, not installed here; install with: pip install {quoted}"
        )


def check_output(path: str | Path, wanted: Format, force: bool = False):
    """Raises UserError where nothing may be written: something is there already, or of the wrong
    kind.

    `force` allows to replace a file, and a folder only where it is empty or holds a SavedModel: it
    might be anyone's.
    """
    path = Path(path)
    try:
        _check_output(path, wanted, force)
    except OSError as error:
        raise write_error(path, error) from error


def _check_output(path, wanted, force):
    if not path.name:
        raise UserError(f"--output {path}: not a name for a file or a folder; give one.")
    if path.is_dir() and not wanted.is_folder:
        raise UserError(
            f"--output {path}: is a folder, and {wanted.name} is one file; give its name, such as {path / 'model'}."
        )
    if path.exists() and not path.is_dir() and wanted.is_folder:
        raise UserError(
            f"--output {path}: is a file, and {wanted.name} is a folder; give another name."
        )
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise UserError(
            f"--output {path}: a folder that holds something else than a SavedModel; give another name."
        )
    if path.exists() and not force:
        raise UserError(
            f"--output {path}: exists already; add --force to replace it, or give another name."
        )
