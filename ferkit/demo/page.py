"""The page of the demo: one HTML file that contains its pictures."""

import base64
from collections.abc import Sequence
from pathlib import Path

from ferkit.demo.steps import Outcome, Picture
from ferkit.reporting.html import environment


def demo_page(outcomes: Sequence[Outcome], folder: Path) -> str:
    """The HTML of the page, which refers to no other file.

    Args:
        outcomes: the steps that have run.
        folder: folder of the demo, in which the pictures are.
    """
    templates = environment("ferkit.demo")
    templates.filters["data_url"] = lambda picture: _data_url(picture, folder)
    return templates.get_template("demo.html.j2").render(
        outcomes=outcomes, seconds=sum(outcome.seconds for outcome in outcomes)
    )


def _data_url(picture: Picture, folder: Path) -> str:
    path = folder / picture.path
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
