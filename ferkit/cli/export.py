"""`export`: writes a model for another runtime and compares it there with Keras."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import generate_data
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.errors import UserError
from ferkit.export.formats import (
    FORMATS,
    WEB,
    Format,
    check_built_page,
    check_output,
    check_runtime,
)
from ferkit.outputs import check_outputs
from ferkit.process import imported
from ferkit.tensorflow_runtime import import_tensorflow
from generate_data.manifest import DESCRIPTION

if TYPE_CHECKING:
    import keras

    from generate_data.manifest import Manifest

EXAMPLES = """\
examples:
  python main.py export --weights dan-fer2013 --format onnx --output dan.onnx -d data
  python main.py export --weights deep_emotion-fer2013 --format litert --output face.tflite
  python main.py export --format litert-int8 --output face-int8.tflite -d data
  python main.py export --run runs/mine --format savedmodel --output served/1 --force
  python main.py export --run runs/mine --format web --output site/

Input "image": float32 (batch, height, width, channels), pixels 0 to 255, any batch size. Output
"probabilities", calibrated if the weights are. Labels and model card are stored in assets.extra/ of
a savedmodel, in a zip archive at the end of a litert file (unzip reads it), and in the metadata of
an onnx file.

The exported model is read back by its own runtime and compared with Keras: probabilities must agree
within 0.0001 on drawn faces and on the val split. For litert-int8 (8-bit kernels), the accuracy on
that split must agree within one percentage point. Otherwise the command fails and leaves no file.
Without a dataset the accuracy is not measured, and the probabilities of litert-int8 must agree
within 0.05 on drawn faces.

web is a folder for any static host: a page that runs the model in the browser of each visitor. It
uses a .tflite file, or that of released weights, as it is, and otherwise converts the model as for
litert. The page must have been built in a source checkout: make web.
"""

_DEFAULT_DATA = "data"
_SPLIT = "val"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `export`.

    Attributes:
        format: one of ``FORMATS``.
        output: file or folder to write.
        force: replace what is there.
        data: folder of the dataset; None: data/ if it fits.
    """

    format: str
    output: str
    force: bool
    data: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `export`."""
    parser.add_argument(
        "--format",
        required=True,
        type=str.lower,
        choices=[*FORMATS, WEB.name],
        help="format to write",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="PATH",
        help="file to write, or folder of a savedmodel or web page",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing --output")
    add_model_choice(parser, default="shipped weights")
    parser.add_argument(
        "-d",
        "--data",
        default=None,
        metavar="DIR",
        help="dataset whose val split the accuracy is measured on "
        "(default: data, if it has the classes of the model)",
    )


def run(options: Options) -> int:
    """Export and compare; returns the exit code."""
    export_format = WEB if options.format == WEB.name else FORMATS[options.format]
    if export_format is WEB:
        check_built_page()
    check_output(options.output, export_format, options.force)
    check_runtime(export_format)
    path = resolve(options, default="shipped weights")
    data = Path(options.data or _DEFAULT_DATA)
    read = [path, *(path.with_suffix(suffix) for suffix in (".json", ".md"))]
    read += [data / generate_data.MANIFEST, data / DESCRIPTION]
    check_outputs({"--output": options.output}, read)
    if export_format is WEB:
        _write_web_page(options, path)
    else:
        _convert(options, path, export_format, Path(options.output), Path(options.output))
    return 0


def _convert(
    options: Options, path: Path, export_format: Format, output: Path, printed: Path
) -> None:
    """Write the model to `output`; print how it agrees with Keras, with the path `printed`."""
    import_tensorflow()
    from ferkit.evaluation import inputs  # late: TensorFlow
    from ferkit.export import export

    model = inputs.load_model(path, options.model)
    manifest, reason = _fitting_dataset(model, path, options.data)
    record = inputs.read_trained_on(path)
    split = inputs.load_fitting_split(model, manifest, _SPLIT, record) if manifest else None
    exported = export.export_model(model, path, export_format, output, split)
    exported = dataclasses.replace(exported, path=printed)
    print(export.format_export(exported, export_format, reason))


def _write_web_page(options: Options, path: Path) -> None:
    """Write the page with a compiled file of the model, which is made if there is none."""

    def convert(output: Path, printed: Path) -> None:
        _convert(options, path, FORMATS["litert"], output, printed)

    write_page = imported("ferkit.export.web:write_page")  # NumPy
    size = write_page(path, Path(options.output), convert)
    print(f"{options.output}: {size:,} bytes; put this folder on a static host with https.")


def _fitting_dataset(
    model: "keras.Model", checkpoint: Path, data: str | None
) -> tuple["Manifest | None", str]:
    """The dataset that the user named; that in data/ if none was named and it fits.

    Args:
        model: the Keras model, whose classes the dataset must have.
        checkpoint: the file of the model.
        data: folder of the dataset, or None.

    Returns:
        The manifest and "", or None and the reason.

    Raises:
        UserError: the dataset that the user named has other classes.
        generate_data.errors.DataError: the folder holds no dataset.
    """
    folder = Path(data or _DEFAULT_DATA)
    if data is None and not (folder / generate_data.MANIFEST).is_file():
        return None, f"no dataset in {folder}/; give one with -d DIR."
    manifest = generate_data.read_manifest(folder)
    if tuple(manifest.class_names) == tuple(model.class_names):
        return manifest, ""
    if data is None:
        return None, f"the dataset in {folder}/ has other classes; give a fitting one with -d DIR."
    raise UserError(
        folder,
        f"has the classes {', '.join(manifest.class_names)}, and {checkpoint} has "
        f"{', '.join(model.class_names)}",
        "give a dataset with the same classes",
    )
