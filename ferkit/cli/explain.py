"""`explain`: shows what a prediction is based on, for photos or for a split of a dataset."""

import argparse
import dataclasses
from pathlib import Path

import ferkit
import generate_data
from ferkit.cli.arguments import add_data, add_detector, add_files, add_runtime, check_positive
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.errors import UserError
from ferkit.outputs import OutputNames
from ferkit.tensorflow_runtime import import_tensorflow

EXAMPLES = """\
examples:
  python main.py explain photo.jpg
      explained/photo-explained.png: maps of what the prediction is based on
  python main.py explain photo.jpg --class sad
      maps for another class
  python main.py explain photo.jpg -m dan
      DAN, with a map for each attention head
  python main.py explain -d data --split val --per-class 3
      a gallery of the dataset, and figures that show how far the maps can be trusted
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `explain`.

    Attributes:
        files, image: photos, folders and patterns.
        data: folder of the dataset.
        split: split for a gallery; None: photos are explained.
        per_class: faces per class in a gallery.
        class_name: class to explain; None: the predicted class.
        to: folder for the results.
        runtime: "auto", or the name of a runtime.
        detector: name of a face detector.
        detector_model: another model file for the detector.
        detector_size: longest side at which photos are searched; None: the detector chooses.
    """

    files: list[str]
    image: list[str]
    data: str
    split: str | None
    per_class: int
    class_name: str | None
    to: str
    runtime: str
    detector: str
    detector_model: str | None
    detector_size: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `explain`."""
    add_files(parser, "photos, folders (with subfolders) or patterns; or use --split")
    add_data(parser)
    parser.add_argument(
        "--split",
        default=None,
        metavar="NAME",
        help="a gallery of train, val or test of the dataset, instead of photos",
    )
    parser.add_argument(
        "--per-class",
        type=int,
        default=4,
        metavar="N",
        help="faces per class in a gallery (default: 4)",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        default=None,
        metavar="NAME",
        help="class to explain (default: the predicted class)",
    )
    parser.add_argument(
        "--to",
        default="explained",
        metavar="DIR",
        help="folder for the results (default: explained)",
    )
    add_model_choice(parser, default="shipped weights")
    add_runtime(parser)
    add_detector(parser)


def run(options: Options) -> int:
    """Explain photos or a split; returns 1 if a photo could not be read, else 0."""
    names = [*options.files, *options.image]
    if bool(names) == bool(options.split):
        raise UserError(
            "explain",
            "needs either photos or a split",
            "give photos, or --split NAME of a dataset; see: python main.py explain --help",
        )
    check_positive("--per-class", options.per_class)
    return _explain_split(options) if options.split else _explain_photos(options, names)


def _explain_photos(options: Options, names: list[str]) -> int:
    from ferkit.explanation import photo_sheets  # late: NumPy and OpenCV
    from ferkit.prediction import inputs

    files = inputs.found_files(names)
    path = resolve(options, default="shipped weights")
    runtime = photo_sheets.preferred_runtime(path) if options.runtime == "auto" else options.runtime
    recognizer = ferkit.Recognizer(
        path,
        options.detector,
        options.detector_model,
        runtime=runtime,
        detector_size=options.detector_size,
    )
    wanted = photo_sheets.sheet_names(files)
    sheets = OutputNames(options.to, wanted, [path], [*_settings(options, path), runtime])
    unreadable = photo_sheets.explain_photos(recognizer, files, sheets, options.class_name)
    return 1 if unreadable else 0


def _explain_split(options: Options) -> int:
    manifest = generate_data.read_manifest(options.data)
    path: Path = resolve(options, default="shipped weights")
    import_tensorflow()
    from ferkit.explanation import galleries  # late: TensorFlow

    model, split = galleries.load_model_and_split(path, manifest, str(options.split), options.model)
    source = manifest.folder / generate_data.MANIFEST
    wanted = {str(source): galleries.gallery_names(split.class_names)}
    settings = [*_settings(options, path), options.split, options.per_class]
    sheets = OutputNames(options.to, wanted, [path], settings)
    figures = galleries.explain_split(
        model, split, sheets, source, options.per_class, options.class_name
    )
    print(galleries.format_faithfulness(figures, min(galleries.CHECKED_FACES, len(split))))
    return 0


def _settings(options: Options, path: Path) -> list[object]:
    """What a sheet depends on, besides its source."""
    return ["explain", path.resolve(), options.class_name, options.detector, options.detector_model]
