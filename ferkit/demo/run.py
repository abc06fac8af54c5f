"""Runs the demo's steps and writes its page."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from ferkit.demo.page import demo_page
from ferkit.demo.steps import demo_steps
from ferkit.files import written_atomically

_EACH = 3  # faces of a class in the picture


def run_demo(folder: str | Path, epochs: int) -> int:
    """Everything once; the exit code of the first step that failed, or 0.

    Args:
        folder: where it happens; every run of the demo trains in a run folder of its own.
        epochs: of training.
    """
    folder, started = Path(folder), time.monotonic()
    run = folder / "runs" / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    steps = demo_steps(folder, run, epochs)
    for number, step in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {step.title}\n$ {step.command}", flush=True)
        code = step.run()
        if code:
            return code
        if number == 1:
            _draw_faces(folder)
    page = folder / "index.html"
    with written_atomically(page) as draft:
        draft.write_text(demo_page(steps, folder), encoding="utf-8")
    print(
        f"\nDone in {time.monotonic() - started:.0f} s. Open {page}: each step with its picture, and your command for it."
    )
    return 0


def _draw_faces(folder):
    """Some training faces of every class, as faces.png."""
    from ferkit.input_pipeline.dataset import load_split

    split = load_split(folder, "train")
    columns = [
        split.images[np.flatnonzero(split.labels == number)[:_EACH], :, :, 0]
        for number in range(len(split.class_names))
    ]
    picture = np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)
    with written_atomically(folder / "faces.png") as draft:
        Image.fromarray(picture).resize(
            (picture.shape[1] * 2, picture.shape[0] * 2), Image.Resampling.LANCZOS
        ).save(draft, format="PNG")
