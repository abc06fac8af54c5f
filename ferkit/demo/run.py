"""Runs the steps of the demo and writes its page."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from ferkit.demo.page import demo_page
from ferkit.demo.steps import RunCommand, demo_steps, run_step
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import load_split

_FACES_PER_CLASS = 3
_ENLARGEMENT = 2


def run_demo(folder: str | Path, epochs: int, run_command: RunCommand) -> int:
    """Run all steps and write index.html.

    Args:
        folder: folder for all results; every demo trains in a new run folder inside it.
        epochs: epochs of training.
        run_command: runs the arguments of a command line and returns the exit code.

    Returns:
        The exit code of the first step that failed, or 0.
    """
    folder, started = Path(folder), time.monotonic()
    run = folder / "runs" / time.strftime("%Y-%m-%d_%H-%M-%S")
    steps, outcomes = demo_steps(folder, run, epochs), []
    for number, step in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {step.title}\n$ {step.command}", flush=True)
        outcome = run_step(step, run_command)
        if outcome.exit_code:
            return outcome.exit_code
        outcomes.append(outcome)
        if number == 1:
            _write_sample_faces(folder)
    page = folder / "index.html"
    with written_atomically(page) as draft:
        draft.write_text(demo_page(outcomes, folder), encoding="utf-8")
    print(
        f"\nDone in {time.monotonic() - started:.0f} s. Open {page}: it shows each step with its "
        "picture, and the command for your own data."
    )
    return 0


def _write_sample_faces(folder: Path) -> None:
    """Write faces.png: some training faces, one column per class."""
    split = load_split(folder, "train")
    columns = []
    for label in range(len(split.class_names)):
        rows = np.flatnonzero(split.labels == label)[:_FACES_PER_CLASS]
        columns.append(np.concatenate(split.images[rows][..., 0], axis=0))
    picture = Image.fromarray(np.concatenate(columns, axis=1))
    size = picture.width * _ENLARGEMENT, picture.height * _ENLARGEMENT
    with written_atomically(folder / "faces.png") as draft:
        picture.resize(size, Image.Resampling.LANCZOS).save(draft, format="PNG")
