"""`predict`: finds faces in photos, videos and camera images, and predicts their expressions."""

import argparse
import contextlib
import dataclasses
from pathlib import Path

import ferkit
from ferkit.cli.arguments import (
    TTA,
    add_detector,
    add_files,
    add_max_error,
    add_runtime,
    boolean,
    seconds,
)
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.errors import UserError
from ferkit.outputs import OutputNames, check_outputs

EXAMPLES = """\
examples:
  python main.py predict photo.jpg
      one line per face, with the shipped weights
  python main.py predict holiday/ party/*.jpg --csv faces.csv --annotate marked
  python main.py predict talk.mp4 --json talk.json --annotate marked
      faces are tracked by number; their probabilities are smoothed over time and plotted
  python main.py predict --camera 0
      live, one line per second, until Ctrl-C
  python main.py predict --camera 0 --show
      the same in a window, until q or Esc
  python main.py predict crops/ --detector none
      photos that are cropped faces already
  python main.py predict holiday/ --csv faces.csv --max-error 0.2
      less sure labels have the status "unsure", so that at most 20 % of the others are wrong
  python main.py predict photo.jpg --weights runs/mine/best.keras

Exit code 0: all inputs were read; 1: some could not be read, the others are done; 2: an error that
stopped the command.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `predict`.

    Attributes:
        files, image: photos, videos, folders and patterns.
        camera: number of a camera.
        seconds: length to read of a camera or video; None: all of it.
        runtime: "auto", or the name of a runtime.
        tta: "none" or "flip".
        detector: name of a face detector.
        detector_model: another model file for the detector.
        detector_size: longest side at which photos are searched; None: the detector chooses.
        margin: extra margin around a face, as a fraction of its size.
        align: rotate faces upright.
        max_error: fraction of wrong labels; less confident labels are unsure; None: not asked for.
        smoothing: time constant for videos in seconds; None: the default.
        csv, json: files for the results.
        annotate: folder for annotated photos and videos.
        show: show videos and the camera in a window.
    """

    files: list[str]
    image: list[str]
    camera: int | None
    seconds: float | None
    runtime: str
    tta: str
    detector: str
    detector_model: str | None
    detector_size: int | None
    margin: float
    align: bool
    max_error: float | None
    smoothing: float | None
    csv: str | None
    json: str | None
    annotate: str | None
    show: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `predict`."""
    _add_inputs(parser)
    model = parser.add_argument_group("model (default: shipped weights)")
    add_model_choice(model, default="shipped weights")
    add_runtime(model)
    model.add_argument(
        "--tta",
        type=str.lower,
        choices=TTA[:2],
        nargs="?",
        const="flip",
        default="none",
        help="flip: average over the face and its mirror image",
    )
    add_max_error(model)
    faces = parser.add_argument_group("faces")
    add_detector(faces)
    _add_faces(faces)
    results = parser.add_argument_group("results")
    results.add_argument(
        "--csv",
        default=None,
        metavar="FILE",
        help="write a row for each face, and for each input without one",
    )
    results.add_argument(
        "--json", default=None, metavar="FILE", help="write the same as a JSON list"
    )
    results.add_argument(
        "--annotate",
        default=None,
        metavar="DIR",
        help="write photos and videos with boxes and bars, and plots of videos",
    )
    results.add_argument(
        "--show",
        action="store_true",
        help="show videos and the camera in a window, which q or Esc closes; needs opencv-python",
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    inputs = parser.add_argument_group("inputs")
    add_files(inputs, "photos, videos, folders (with subfolders) or patterns ('*.jpg')")
    inputs.add_argument(
        "--camera",
        type=int,
        default=None,
        metavar="N",
        help="use camera N until Ctrl-C; 0 is the first",
    )
    inputs.add_argument(
        "--seconds",
        type=seconds,
        default=None,
        metavar="X",
        help="stop reading a camera or video after X seconds",
    )


def _add_faces(faces: argparse._ActionsContainer) -> None:
    faces.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="X",
        help="extra margin around the face, as a fraction of its size, -0.9 to 10 (default: 0)",
    )
    faces.add_argument(
        "--align",
        type=boolean,
        default=True,
        metavar="True|False",
        help="rotate faces upright (default: True)",
    )
    faces.add_argument(
        "--smoothing",
        type=seconds,
        default=None,
        metavar="X",
        help="smooth probabilities in videos over X seconds; 0: off (default: 0.4)",
    )


def run(options: Options) -> int:
    """Predict and write what was asked for; returns 1 if an input could not be read, else 0."""
    names = [*options.files, *options.image]
    if bool(names) == (options.camera is not None):
        raise UserError(
            "predict",
            "needs either files or a camera",
            "give photos, folders or videos, or --camera N; see: python main.py predict --help",
        )
    from ferkit.prediction import inputs, predict, rows, window  # late: NumPy and OpenCV

    files = inputs.found_files(names)
    if options.show and options.camera is None and not any(map(inputs.is_video, files)):
        raise UserError("--show", "needs a video or a camera", "give one, or omit --show")
    with contextlib.ExitStack() as stack:
        # Opened before the model is loaded, so that errors come at once.
        screen = window.Window() if options.show else None
        if screen:
            stack.callback(screen.close)
        path = resolve(options, default="shipped weights")
        read = [path, options.detector_model]
        check_outputs({"--csv": options.csv, "--json": options.json}, [*files, *read])
        wanted = {str(file): predict.picture_names(file) for file in files}
        if options.camera is not None:
            wanted[f"camera {options.camera}"] = predict.picture_names(options.camera)
        pictures = _picture_files(options, path, wanted)
        recognizer = _recognizer(options, path)
        writer = stack.enter_context(
            rows.RowWriter(options.csv, options.json, recognizer.class_names)
        )
        prediction = predict.Prediction(
            recognizer, writer, pictures, options.smoothing, options.seconds, screen
        )
        try:
            prediction.files(files)
            if options.camera is not None:
                prediction.video(options.camera)
        except KeyboardInterrupt:
            if options.camera is None:
                raise
    print(prediction.summary(path))
    return 1 if prediction.unreadable else 0


def _picture_files(
    options: Options, path: Path, wanted: dict[str, list[str]]
) -> OutputNames | None:
    """The files for annotated pictures; None without --annotate.

    Args:
        options: what the user gave.
        path: the model file.
        wanted: input -> the names of its pictures.
    """
    if not options.annotate:
        return None
    settings = [
        *("predict", path.resolve(), options.runtime, options.tta),
        *(options.detector, options.detector_model, options.margin, options.align),
        *(options.smoothing, options.seconds),
        *([options.max_error] if options.max_error is not None else []),
    ]
    reserved = [path, options.detector_model, options.csv, options.json]
    return OutputNames(options.annotate, wanted, reserved, settings)


def _recognizer(options: Options, path: Path) -> "ferkit.Recognizer":
    return ferkit.Recognizer(
        path,
        options.detector,
        options.detector_model,
        options.margin,
        options.align,
        mirror=options.tta == "flip",
        runtime=options.runtime,
        detector_size=options.detector_size,
        max_error=options.max_error,
    )
