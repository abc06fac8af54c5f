"""A folder for any static host: the page of web/, which runs a compiled model in the browser."""

import json
import shutil
from pathlib import Path

from ferkit.errors import UserError
from ferkit.files import folder_written_atomically
from ferkit.recognition.litert_runtime import LiteRTRuntime
from ferkit.recognition.model_facts import model_facts

BUILT_PAGE = Path(__file__).resolve().parents[2] / "web" / "dist"  # of a source checkout
MODEL, FACTS = "model.tflite", "model.json"


def check_built_page() -> None:
    """Raise UserError if the page is not built; says how to build it."""
    if not (BUILT_PAGE / "index.html").is_file():
        advice = "build it in a source checkout with: make web (needs Node.js 20 or later)"
        raise UserError("--format web", f"the page is not in {BUILT_PAGE}", advice)


def write_page(compiled: Path, file: Path, output: str | Path) -> int:
    """Write the page with a model; it replaces an earlier one.

    Args:
        compiled: a .tflite file that `export` or `release` wrote.
        file: the model file that it was made from, or itself: its name and its figures are shown.
        output: the folder; see ``formats.check_output``.

    Returns:
        The bytes of the folder.

    Raises:
        UserError: the compiled file cannot be run, or the folder cannot be written.
    """
    facts = model_facts(file, LiteRTRuntime(compiled))
    with folder_written_atomically(output) as draft:
        shutil.copytree(BUILT_PAGE, draft, dirs_exist_ok=True)
        shutil.copyfile(compiled, draft / MODEL)
        (draft / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        return sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
