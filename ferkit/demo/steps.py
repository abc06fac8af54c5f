"""The steps of the demo: for each a command line, what it shows, and the command for own data."""

import contextlib
import dataclasses
import io
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from ferkit.demo import RECIPE

# NASA's portrait of Eileen Collins, public domain; from scikit-image.
ASTRONAUT = Path(__file__).with_name("astronaut.jpg")
LEARNING_RATE = "0.002"

RunCommand = Callable[[Sequence[str]], int]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture that a step writes.

    Attributes:
        path: the file, relative to the folder of the demo.
        caption: what it shows.
        is_chart: whether it is a chart; a dark page inverts its lightness.
    """

    path: str
    caption: str
    is_chart: bool = False

    @property
    def css_class(self) -> str:
        """The class of the image in the style sheet of reports."""
        return "chart" if self.is_chart else "photo"


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of the demo.

    Attributes:
        title: what it does, in a few words.
        explanation: a paragraph for the page.
        arguments: the arguments of the command.
        own_data_command: the command line for the user's own data.
        pictures: what it writes that the page shows.
    """

    title: str
    explanation: str
    arguments: Sequence[str]
    own_data_command: str
    pictures: Sequence[Picture] = ()

    @property
    def command(self) -> str:
        """The command line as a user types it."""
        return "python main.py " + shlex.join(self.arguments)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A step that has run.

    Attributes:
        step: the step.
        exit_code: 0 for success.
        output: what it printed.
        seconds: how long it took.
    """

    step: Step
    exit_code: int
    output: str
    seconds: float


def run_step(step: Step, run_command: RunCommand) -> Outcome:
    """Run a step in this process; its output is shown and recorded.

    Args:
        step: what to run.
        run_command: runs the arguments of a command line and returns the exit code.
    """
    recorder, started = _Recorder(sys.stdout), time.monotonic()
    with contextlib.redirect_stdout(recorder):
        code = run_command(step.arguments)
    return Outcome(step, code, recorder.text.getvalue().strip(), time.monotonic() - started)


class _Recorder(io.TextIOBase):
    """Passes on what is written, and records it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.text = stream, io.StringIO()

    def write(self, text: str) -> int:
        self.text.write(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def demo_steps(folder: Path, run: Path, epochs: int) -> list[Step]:
    """All steps, in order.

    Args:
        folder: folder of the demo.
        run: run folder to train in, inside `folder`.
        epochs: epochs of training.
    """
    return [
        *_training_steps(str(folder), run, str(run.relative_to(folder)), epochs),
        *_prediction_steps(run, str(run.relative_to(folder))),
        *_final_steps(folder, run),
    ]


def _training_steps(data: str, run: Path, run_name: str, epochs: int) -> list[Step]:
    train = ["train", "-d", data, "--run", str(run), "--recipe", RECIPE]
    evaluate = ["evaluate", "-d", data, "--run", str(run), "--split", "test"]
    explain = ["explain", "-d", data, "--run", str(run), "--split", "test", "--per-class", "1"]
    return [
        Step(
            "Set up a dataset",
            "No download is needed: faces are drawn from the muscle movements of each expression "
            "and written in Kaggle's format of FER2013. Set-up checks every row, finds duplicates "
            "across the splits, and writes the images and a manifest.",
            ["setup", "--sample", "-d", data],
            "python main.py setup -d data --source icml_face_data.csv",
            [Picture("faces.png", "Drawn faces, one column per expression")],
        ),
        Step(
            "Train Deep-Emotion",
            "A small network whose spatial transformer learns where to look. A full training takes "
            "hours on a CPU; it can be stopped at any time, and a resumed training gives "
            "bit-for-bit the same results.",
            [*train, "--epochs", str(epochs), "--learning_rate", LEARNING_RATE],
            "python main.py train -d data --run runs/mine --recipe best",
            [Picture(f"{run_name}/report/curves.png", "Learning curves", is_chart=True)],
        ),
        Step(
            "Evaluate it",
            "On held-out faces: accuracy with confidence intervals, per class, with and without "
            "duplicates of training faces, and calibration.",
            [*evaluate, "--report", str(run / "report-test")],
            "python main.py evaluate -d data --run runs/mine --split test --report report",
            [
                Picture(
                    f"{run_name}/report-test/confusion.png",
                    "Which expression is predicted for which",
                    is_chart=True,
                )
            ],
        ),
        Step(
            "Explain it",
            "Class activation maps, occlusion maps, and the window of the transformer, with "
            "figures that show how far the maps can be trusted. This network was trained for a few "
            "epochs, so its maps say little yet.",
            [*explain, "--to", str(run / "explained")],
            "python main.py explain photo.jpg",
            [
                Picture(f"{run_name}/explained/gallery-happy.png", "A drawn happy face"),
                Picture(f"{run_name}/explained/gallery-surprise.png", "A drawn surprised face"),
            ],
        ),
    ]


def _prediction_steps(run: Path, run_name: str) -> list[Step]:
    return [
        Step(
            "Predict on a photo",
            "With the shipped weights, trained on FER2013, and the shipped face detector.",
            ["predict", str(ASTRONAUT), "--annotate", str(run / "predicted")],
            "python main.py predict photo.jpg holiday/ talk.mp4 --annotate marked",
            [Picture(f"{run_name}/predicted/astronaut.jpg", "Eileen Collins, NASA; public domain")],
        ),
        Step(
            "Explain the shipped model",
            "The same explanation for a fully trained model.",
            ["explain", str(ASTRONAUT), "--to", str(run / "explained")],
            "python main.py explain photo.jpg --class sad",
            [
                Picture(
                    f"{run_name}/explained/astronaut-explained.png",
                    "What the prediction is based on",
                )
            ],
        ),
    ]


def _final_steps(folder: Path, run: Path) -> list[Step]:
    export = ["export", "--run", str(run), "--format", "savedmodel"]
    return [
        Step(
            "Export it",
            "For use in a product: the file includes preprocessing and calibration. It is read "
            "back by its own runtime and compared with Keras before the command reports success. "
            "LiteRT and ONNX are other formats.",
            [*export, "--output", str(run / "exported"), "-d", str(folder)],
            "python main.py export --weights deep_emotion-fer2013 --format onnx --output face.onnx",
        ),
        Step(
            "Verify it",
            "Shapes, gradients, losses against hand-computed values, and that the saved model "
            "gives the same results as the trained one.",
            ["verify", "--run", str(run)],
            "python main.py verify --weights deep_emotion-fer2013",
        ),
    ]
