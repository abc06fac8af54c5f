"""The export.

Write a draft, run it in its own runtime, compare it with Keras, and only then give it its name.
"""

import dataclasses
from pathlib import Path

from ferkit.errors import UserError
from ferkit.export.agreement import Agreement, check, compare, drawn_faces
from ferkit.export.formats import Format
from ferkit.export.metadata import about_export
from ferkit.export.signature import ExportGraph
from ferkit.files import folder_written_atomically, written_atomically
from ferkit.tensorflow_runtime import native_stderr_hidden


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file or folder.
        bytes: its size.
        faces: how it agrees with Keras on drawn faces.
        measured: on a labelled split, or None.
    """

    path: Path
    bytes: int
    faces: Agreement
    measured: Agreement | None


def export_model(
    model, checkpoint: Path, wanted: Format, output: str | Path, split=None
) -> Exported:
    """Write a model in another format.

    Args:
        model: a Keras model of ours.
        checkpoint: the file it was loaded from.
        wanted: the format.
        output: what to write; whatever is there is replaced, see ``formats.check_output``.
        split: labelled images to measure by, or None.

    Raises:
        UserError: the model cannot be written in this format, its runtime cannot read it, or it
            does not say what Keras says. Then nothing is left, and what was there before is still
            there.
    """
    output = Path(output)
    with (folder_written_atomically if wanted.is_folder else written_atomically)(output) as draft:
        if not wanted.is_folder:
            draft.touch()  # tells at once whether one may write here
        try:
            with native_stderr_hidden(shown_on_failure=False):
                _write(model, checkpoint, wanted, draft)
                run = wanted.implementation().load(draft)
                faces = compare(model, run, drawn_faces())
            measured = compare(model, run, split.images, split.labels) if split else None
            check(faces, measured, wanted.int8)
        except OSError:
            raise
        except (
            Exception
        ) as error:  # converters and runtimes raise whatever an operation they lack leads to
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise UserError(
                f"{checkpoint.name} as {wanted.name}: {reason} Nothing was written."
            ) from error
        size = _size(draft)
    return Exported(output, size, faces, measured)


def _write(model, checkpoint, wanted, draft):
    wanted.implementation().write(
        ExportGraph(model), draft, about_export(model, checkpoint, wanted), wanted.int8
    )


def _size(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def format_export(done: Exported, wanted: Format, without_split: str) -> str:
    """What was written and how it was checked, for the screen.

    Args:
        without_split: why the accuracy was not measured.
    """
    lines = [
        f"{done.path}: {done.bytes:,} bytes; read back by {wanted.runtime}",
        f"  {done.faces.images:>5,} drawn faces: probabilities at most {done.faces.largest:.1e} from Keras's",
    ]
    if done.measured:
        found = done.measured
        lines += [
            f"  {found.images:>5,} val images:  at most {found.largest:.1e}; accuracy {found.accuracy:.2%}, "
            f"Keras's {found.accuracy_keras:.2%}"
        ]
    else:
        lines.append(f"  Its accuracy was not measured: {without_split}")
    return "\n".join(lines)
