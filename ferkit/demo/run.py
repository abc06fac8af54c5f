"""Runs the steps of the demo and writes its page."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from ferkit.demo.page import demo_page
from ferkit.demo.steps import RunCommand, demo_steps, run_step
from ferkit.errors import UserError
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import load_split
from generate_data.samples.sample_csv import SAMPLE_MARKER

_FACES_PER_CLASS = 3
_ENLARGEMENT = 2
_TITLE = "<title>Facial expression recognition: the demo</title>"


def run_demo(folder: str | Path, epochs: int, run_command: RunCommand) -> int:
    """Run all steps and write index.html.

    Args:
        folder: folder for all results; every demo trains in a new run folder inside it.
        epochs: epochs of training.
        run_command: runs the arguments of a command line and returns the exit code.

    Returns:
        The exit code of the first step that failed, or 0.

    Raises:
        UserError: the folder contains other files.
    """
    folder, started = Path(folder), time.monotonic()
    _check_folder(folder)
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


def _check_folder(folder: Path) -> None:
    """Raise UserError if a folder has files that are not those of a demo: it would replace some."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    page = folder / "index.html"
    is_ours = not page.exists() or _TITLE in page.read_text(encoding="utf-8", errors="replace")
    if not ((folder / SAMPLE_MARKER).is_file() and is_ours):
        problem = "exists and is not the folder of a demo"
        raise UserError(f"--folder {folder}", problem, "give a new folder")


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
