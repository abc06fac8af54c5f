"""The formats that a model can be exported to: plain data and checks, without TensorFlow."""

import dataclasses
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from ferkit.errors import UserError, not_installed
from ferkit.files import write_error


@dataclasses.dataclass(frozen=True)
class Format:
    """Which module writes a format, and which packages it needs.

    Attributes:
        name: name on the command line.
        module: module of this package with ``write(graph, path, texts, int8)`` and ``load(path)``,
            which returns a function from images to probabilities in the format's own runtime.
        runtime: the package that runs it, under its import name.
        packages: import name -> requirement for pip; {} if TensorFlow is enough.
        is_folder: whether it is written as a folder.
        int8: whether kernels are stored in 8 bits.
        content: of a folder: what it holds, and the file by which it is recognized.
    """

    name: str
    module: str
    runtime: str
    packages: dict[str, str]
    is_folder: bool = False
    int8: bool = False
    content: tuple[str, str] = ("a SavedModel", "saved_model.pb")

    def implementation(self) -> ModuleType:
        """The module that writes and loads the format; imports TensorFlow."""
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
# A page for browsers with a litert file in it; ``export.web`` writes it.
WEB = Format(
    "web", "litert", "ai_edge_litert", _LITERT, True, content=("such a page", "service_worker.js")
)

BUILT_PAGE = Path(__file__).resolve().parents[2] / "web" / "dist"  # of a source checkout


def check_built_page() -> None:
    """Raise UserError if the page for browsers is not built; says how to build it."""
    if not (BUILT_PAGE / "index.html").is_file():
        advice = "build it in a source checkout with: make web (needs Node.js 20 or later)"
        raise UserError(f"--format {WEB.name}", f"the page is not in {BUILT_PAGE}", advice)


def check_runtime(export_format: Format) -> None:
    """Check that the packages that a format needs are installed.

    Raises:
        UserError: one is missing; says how to install it.
    """
    missing = [name for name in export_format.packages if importlib.util.find_spec(name) is None]
    if missing:
        requirements = " ".join(f'"{export_format.packages[name]}"' for name in missing)
        where = f"--format {export_format.name}"
        raise not_installed(where, " and ".join(missing), requirements)


def check_output(path: str | Path, export_format: Format, force: bool = False) -> None:
    """Check that a path may be written.

    Args:
        path: the file or folder to write.
        export_format: the format.
        force: allow to replace a file, or a folder that is empty or contains the same format. Other
            folders are never replaced: their files cannot be restored.

    Raises:
        UserError: the path exists, or has another kind.
    """
    path = Path(path)
    try:
        _check_output(path, export_format, force)
    except OSError as error:
        raise write_error(path, error) from error


def _check_output(path: Path, export_format: Format, force: bool) -> None:
    where, name = f"--output {path}", export_format.name
    if not path.name:
        raise UserError(where, "not a name for a file or a folder", "give a name")
    if path.is_dir() and not export_format.is_folder:
        advice = f"give the name of a file, such as {path / 'model'}"
        raise UserError(where, f"is a folder, and {name} is one file", advice)
    if path.exists() and not path.is_dir() and export_format.is_folder:
        raise UserError(where, f"is a file, and {name} is a folder", "give another name")
    content, known_by = export_format.content
    if path.is_dir() and any(path.iterdir()) and not (path / known_by).is_file():
        problem = f"a folder that contains something other than {content}"
        raise UserError(where, problem, "give another name")
    if path.exists() and not force:
        advice = "add --force to replace it, or give another name"
        raise UserError(where, "already exists", advice)
