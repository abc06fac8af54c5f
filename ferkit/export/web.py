"""A folder for any static host: the page of web/, which runs a compiled model in the browser."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ferkit.export import formats
from ferkit.files import folder_written_atomically
from ferkit.recognition.compiled_file import compiled_twin
from ferkit.recognition.litert_runtime import LiteRTRuntime
from ferkit.recognition.model_facts import model_facts

MODEL, FACTS = "model.tflite", "model.json"


def write_page(file: Path, output: Path, convert: Callable[[Path, Path], None]) -> int:
    """Write the page with a model; it replaces an earlier one.

    Args:
        file: a .tflite file, which is used as it is, or a .keras file; of released weights, the
            compiled file is used.
        output: the folder; see ``formats.check_output``.
        convert: writes the .tflite file of any other .keras file to the first path; the second one
            is its path in the folder, to be printed.

    Returns:
        The bytes of the folder.

    Raises:
        UserError: the model cannot be converted or run, or the folder cannot be written.
    """
    compiled = file if file.suffix == ".tflite" else compiled_twin(file)
    with tempfile.TemporaryDirectory() as folder:
        if compiled is None:
            compiled = Path(folder) / MODEL
            convert(compiled, output / MODEL)
        facts = model_facts(file, LiteRTRuntime(compiled))
        with folder_written_atomically(output) as draft:
            shutil.copytree(formats.BUILT_PAGE, draft, dirs_exist_ok=True)
            shutil.copyfile(compiled, draft / MODEL)
            (draft / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            return sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
