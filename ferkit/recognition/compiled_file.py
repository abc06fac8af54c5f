"""What `export` stores in a .tflite file besides the model: class names, card and checksum."""

import dataclasses
import hashlib
import io
import json
import zipfile
from pathlib import Path

from ferkit.errors import UserError

LABELS, CARD, ABOUT = "labels.txt", "model_card.md", "model.json"
EXPORT_AGAIN = "export the model again: python main.py export"


@dataclasses.dataclass(frozen=True)
class CompiledFile:
    """A .tflite file that `export` wrote.

    Attributes:
        model: the bytes of the TensorFlow Lite model.
        class_names: names of its outputs, in order.
        parameters: parameters of the Keras model; None in files of versions before 0.3.
    """

    model: bytes
    class_names: tuple[str, ...]
    parameters: int | None = None


def read_compiled(path: Path) -> CompiledFile:
    """Read a .tflite file and check it.

    Raises:
        UserError: it cannot be read, was not written by `export`, or is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror or error})") from error
    if content[4:8] != b"TFL3":
        problem = f"not a LiteRT file ({len(content):,} bytes)"
        raise UserError(path, problem, "give a .tflite file that `export` wrote")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            start = min(entry.header_offset for entry in archive.infolist())
            texts = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        about = json.loads(texts.get(ABOUT, "{}"))
        class_names = tuple(texts[LABELS].splitlines())
    except Exception as error:  # the type of error depends on the damage
        raise UserError(
            path, "a LiteRT file without class names: cut off, or not one of ours", EXPORT_AGAIN
        ) from error
    model = content[:start]
    if "sha256" in about and hashlib.sha256(model).hexdigest() != about["sha256"]:
        raise UserError(path, "damaged: its checksum is wrong", "copy it again")
    return CompiledFile(model, class_names, about.get("parameters"))


def compiled_twin(path: Path) -> Path | None:
    """The compiled file that was released with a .keras file; None if there is none.

    The figures NAME.json of a release name it with its checksum, so that another file of that name,
    perhaps of an earlier model, is never used instead.

    Args:
        path: the .keras file.

    Raises:
        UserError: the compiled file is not the one that was released.
    """
    try:
        released = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["compiled"]
        twin, expected = path.with_name(released["file"]), released["sha256"]
    except Exception:  # any: it is a file beside the model, of any content
        return None
    if not twin.is_file():
        return None
    if hashlib.sha256(twin.read_bytes()).hexdigest() != expected:
        problem = f"not the file that was released with {path.name}: its checksum is wrong"
        raise UserError(twin, problem, "install again, or select the .keras file: --runtime keras")
    return twin
