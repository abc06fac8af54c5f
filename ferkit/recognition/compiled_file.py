"""What `export` stores in a .tflite file besides the model: class names, card and checksum."""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ferkit.errors import UserError
from ferkit.models.trained_on import TRAINED_ON

LABELS, CARD, ABOUT = "labels.txt", "model_card.md", "model.json"
EXPORT_AGAIN = "export the model again: python main.py export"
_MOST_TEXT = 64 * 2**20  # bytes: a file that claims more was made to fill memory


@dataclasses.dataclass(frozen=True)
class CompiledFile:
    """A .tflite file that `export` wrote.

    Attributes:
        model: the bytes of the TensorFlow Lite model.
        class_names: names of its outputs, in order.
        parameters: parameters of the Keras model; None in files of versions before 0.3.
        trained_on: the record of its training data, see ``models.trained_on``; "" if it has none.
    """

    model: bytes
    class_names: tuple[str, ...]
    parameters: int | None = None
    trained_on: str = ""


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
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_TEXT:
                raise ValueError("too much text")
            texts = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        about = json.loads(texts.get(ABOUT, "{}"))
        class_names = class_names_of(texts, path)
    except UserError:
        raise
    except Exception as error:  # the type of error depends on the damage
        raise UserError(
            path, "a LiteRT file without class names: cut off, or not one of ours", EXPORT_AGAIN
        ) from error
    model = content[:start]
    if "sha256" in about and hashlib.sha256(model).hexdigest() != about["sha256"]:
        raise UserError(path, "damaged: its checksum is wrong", "copy it again")
    record = texts.get(TRAINED_ON, "")
    return CompiledFile(model, class_names, about.get("parameters"), record)


def class_names_of(texts: Mapping[str, str], path: Path) -> tuple[str, ...]:
    """The class names in the texts of a compiled file.

    Raises:
        UserError: two classes have the same name.
        KeyError: there are no class names.
    """
    names = tuple(texts[LABELS].splitlines())
    if len(set(names)) != len(names):
        raise UserError(path, "two of its classes have the same name", EXPORT_AGAIN)
    return names


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
