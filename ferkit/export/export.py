"""The export: writes a draft, compares it with Keras in its own runtime, and then renames it."""

import dataclasses
from pathlib import Path

import keras

from ferkit.errors import UserError, first_line
from ferkit.export.agreement import Agreement, check_agreement, drawn_faces, measure_agreement
from ferkit.export.formats import Format
from ferkit.export.metadata import export_metadata
from ferkit.export.signature import ExportGraph
from ferkit.files import folder_written_atomically, written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.learned import learned_counts, learned_note
from ferkit.process import native_stderr_hidden


@dataclasses.dataclass(frozen=True)
class Exported:
    """An exported file.

    Attributes:
        path: the file or folder.
        bytes: its size.
        faces: agreement with Keras on drawn faces.
        measured: agreement with Keras on a labeled split, or None.
        learned: which of these images the weights have learned, in words.
    """

    path: Path
    bytes: int
    faces: Agreement
    measured: Agreement | None
    learned: str


def export_model(
    model: keras.Model,
    checkpoint: Path,
    export_format: Format,
    output: str | Path,
    split: Split | None = None,
) -> Exported:
    """Write a model in another format, and compare the file with Keras.

    Args:
        model: a Keras model of this program.
        checkpoint: the .keras file that it was loaded from.
        export_format: the format.
        output: what to write; an existing file or folder is replaced, see
            ``formats.check_output``.
        split: labeled images to measure the accuracy on, or None.

    Raises:
        UserError: the model cannot be written in this format, its runtime cannot read it, or it
            does not agree with Keras. Then nothing is written, and an earlier output is unchanged.
    """
    output, where = Path(output), f"{checkpoint.name} as {export_format.name}"
    write_atomically = folder_written_atomically if export_format.is_folder else written_atomically
    with write_atomically(output) as draft:
        if not export_format.is_folder:
            draft.touch()  # shows before the conversion whether this folder is writable
        try:
            with native_stderr_hidden(shown_on_failure=False):
                _write(model, checkpoint, export_format, draft)
                run = export_format.implementation().load(draft)
                faces = measure_agreement(model, run, drawn_faces())
            measured = measure_agreement(model, run, split.images, split.labels) if split else None
            check_agreement(where, faces, measured, export_format.int8)
        except (OSError, UserError):
            raise
        except Exception as error:  # converters and runtimes raise any type of exception
            advice = "choose another --format. Nothing was written"
            raise UserError(where, first_line(error), advice) from error
        size = _size(draft)
    learned = learned_note({"count": len(split), **learned_counts(split)}) if split else ""
    return Exported(output, size, faces, measured, learned)


def _write(model: keras.Model, checkpoint: Path, export_format: Format, draft: Path) -> None:
    texts = export_metadata(model, checkpoint, export_format)
    export_format.implementation().write(ExportGraph(model), draft, texts, export_format.int8)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def format_export(exported: Exported, export_format: Format, without_split: str) -> str:
    """What was written and how it was checked, for the screen.

    Args:
        exported: the result of ``export_model``.
        export_format: its format.
        without_split: why the accuracy was not measured.
    """
    faces, measured = exported.faces, exported.measured
    lines = [
        f"{exported.path}: {exported.bytes:,} bytes; read back by {export_format.runtime}",
        f"  {faces.images:>5,} drawn faces: probabilities differ from those of Keras by up to "
        f"{faces.largest:.1e}",
    ]
    if measured:
        lines.append(
            f"  {measured.images:>5,} val images:  by up to {measured.largest:.1e}; accuracy "
            f"{measured.accuracy:.2%}, Keras: {measured.accuracy_keras:.2%}"
        )
        lines.append(f"  {exported.learned}")
    else:
        lines.append(f"  The accuracy was not measured: {without_split}")
    return "\n".join(lines)
