"""The steps of the demo: a command line each, what it shows, and the same for the user's own data."""

import contextlib
import dataclasses
import io
import shlex
import sys
import time
from pathlib import Path

ASTRONAUT = Path(__file__).with_name(
    "astronaut.jpg"
)  # NASA's portrait of Eileen Collins, public domain; from scikit-image


@dataclasses.dataclass
class Step:
    """One command of the demo.

    Attributes:
        title: what it does, in a few words.
        said: a paragraph for the page.
        words: the command's arguments.
        yours: the command line for the user's own data.
        pictures: (path or pattern below the demo's folder, what it shows), looked up when everything is done.
        output: what it printed, when it has run.
        seconds: what it took.
    """

    title: str
    said: str
    words: list[str]
    yours: str
    pictures: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    output: str = ""
    seconds: float = 0.0

    @property
    def command(self) -> str:
        """As one would type it."""
        return "python main.py " + shlex.join(self.words)

    def run(self) -> int:
        """Run it here; what it prints is shown and kept. Returns its exit code."""
        from ferkit.cli.arguments import main

        kept, started = _Tee(sys.stdout), time.monotonic()
        with contextlib.redirect_stdout(kept):
            code = main(self.words)
        self.output, self.seconds = kept.text.getvalue().strip(), time.monotonic() - started
        return code


class _Tee(io.TextIOBase):
    """Shows what is written, and keeps it."""

    def __init__(self, shown):
        self.shown, self.text = shown, io.StringIO()

    def write(self, text):
        self.text.write(text)
        return self.shown.write(text)

    def flush(self):
        self.shown.flush()


def demo_steps(folder: Path, run: Path, epochs: int) -> list[Step]:
    """All steps, in order.

    Args:
        folder: the demo's.
        run: the run folder to train in, below it.
        epochs: of training.
    """
    data, own = str(folder), run.relative_to(folder)
    return [
        Step(
            "Set up a dataset",
            "No download at hand? Faces are drawn, by the muscle movements that make each expression, and written as Kaggle "
            "hands out FER2013. Set-up checks every row, finds copies across the splits, and writes images and one manifest.",
            ["setup", "--sample", "-d", data],
            "python main.py setup -d data --source icml_face_data.csv",
            [("faces.png", "Drawn faces, one column for each expression")],
        ),
        Step(
            "Train Deep-Emotion",
            "A small net whose spatial transformer learns where to look. A real training takes hours on a CPU; it can be stopped "
            "at any moment and goes on to the last digit.",
            [
                "train",
                "-d",
                data,
                "--run",
                str(run),
                "--recipe",
                "input_warp",
                "--epochs",
                str(epochs),
                "--learning_rate",
                "0.002",
            ],
            "python main.py train -d data --run runs/mine --recipe best",
            [(f"{own}/report/curves.png", "Learning curves")],
        ),
        Step(
            "Measure it",
            "On faces that it never saw: with intervals, per class, with and without copies of training faces, and whether it is "
            "right as often as it is sure.",
            [
                "evaluate",
                "-d",
                data,
                "--run",
                str(run),
                "--split",
                "test",
                "--report",
                str(run / "report-test"),
            ],
            "python main.py evaluate -d data --run runs/mine --split test --report report",
            [(f"{own}/report-test/confusion.png", "Which expression is taken for which")],
        ),
        Step(
            "Ask why",
            "Class activation maps, what happens when places are covered, and the transformer's window; with figures that say "
            "how far the maps can be trusted. This net is a few epochs old: its maps tell little yet.",
            [
                "explain",
                "-d",
                data,
                "--run",
                str(run),
                "--split",
                "test",
                "--per-class",
                "1",
                "--to",
                str(folder / "explained"),
            ],
            "python main.py explain photo.jpg",
            [
                ("explained/gallery-happy.png", "A drawn happy face"),
                ("explained/gallery-surprise.png", "A drawn surprised face"),
            ],
        ),
        Step(
            "Predict on a photo",
            "With the weights that ship, trained on FER2013, and the face detector that comes with them.",
            ["predict", str(ASTRONAUT), "--annotate", str(folder / "predicted")],
            "python main.py predict photo.jpg holiday/ talk.mp4 --annotate marked",
            [("predicted/astronaut.jpg", "Eileen Collins, NASA; public domain")],
        ),
        Step(
            "Ask the shipped model why",
            "The same explanation, of a model that was trained for long.",
            ["explain", str(ASTRONAUT), "--to", str(folder / "explained")],
            "python main.py explain photo.jpg --class sad",
            [("explained/astronaut-explained.png", "What speaks for its label")],
        ),
        Step(
            "Export it",
            "For a product: preprocessing and calibration inside, read back in its own runtime and compared with Keras before "
            "the command says success. LiteRT and ONNX are other formats.",
            [
                "export",
                "--run",
                str(run),
                "--format",
                "savedmodel",
                "--output",
                str(folder / "exported"),
                "--force",
                "-d",
                data,
            ],
            "python main.py export --weights deep_emotion-fer2013 --format onnx --output face.onnx",
        ),
        Step(
            "Verify it",
            "Shapes, gradients, losses against values computed by hand, and that the stored model is the trained one.",
            ["verify", "--run", str(run)],
            "python main.py verify --weights deep_emotion-fer2013",
        ),
    ]
