"""The demo's page: one file with its pictures inside."""

import base64
import html
from pathlib import Path

from ferkit.reporting.html_report import STYLE

_OWN_STYLE = """
pre { background: color-mix(in srgb, var(--ink) 6%, var(--page)); padding: .7rem .9rem; white-space: pre-wrap;
  overflow-wrap: anywhere; border-radius: 6px;
  font-size: .85rem; line-height: 1.4; }
.yours { border-left: 4px solid #0072b2; padding-left: .9rem; }
.yours pre { margin-top: .2rem; }
details summary { cursor: pointer; color: var(--soft); }
figure { margin: 1rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
"""


def demo_page(steps, folder: Path) -> str:
    """HTML without anything outside it.

    Args:
        steps: ``Step``s that have run.
        folder: where their pictures are.
    """
    total = sum(step.seconds for step in steps)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>Facial expression recognition: the demo</title><style>{STYLE}{_OWN_STYLE}</style>",
        "<h1>Facial expression recognition, everything once</h1>",
        f"<p>{len(steps)} commands, {total:.0f} s on this machine. Under each is the command for data of your own. The net "
        "trained here saw drawn faces for a few epochs: it shows the way, and is good for nothing else. The photo is labelled by "
        "the weights that ship. A label says what a face looks like to people who sorted photos, not what a person feels.</p>",
    ]
    for number, step in enumerate(steps, start=1):
        parts.append(f"<h2>{number}. {html.escape(step.title)}</h2><p>{html.escape(step.said)}</p>")
        parts.append(f"<pre>$ {html.escape(step.command)}</pre>")
        parts += [_figure(folder / path, caption) for path, caption in step.pictures]
        parts.append(
            f"<details><summary>What it printed ({step.seconds:.0f} s)</summary><pre>{html.escape(step.output)}</pre></details>"
        )
        parts.append(f"<div class=yours>With your own:<pre>{html.escape(step.yours)}</pre></div>")
    return "\n".join([*parts, "</html>"])


def _figure(path, caption):
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    data, words = base64.b64encode(path.read_bytes()).decode(), html.escape(caption)
    style = "chart" if path.parent.name.startswith("report") else "photo"
    image = f"<img class={style} alt='{words}' src='data:image/{kind};base64,{data}'>"
    return f"<figure class=wide>{image}<figcaption>{words}</figcaption></figure>"
