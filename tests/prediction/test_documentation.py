"""The Python examples of docs/prediction.md run, one after another."""

import re
import shutil

import numpy as np
from PIL import Image

from tests.support.command_line import ROOT
from tests.support.drawn_films import write_video

BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    photo = ROOT / "ferkit" / "demo" / "astronaut.jpg"
    (tmp_path / "holiday").mkdir()
    for name in ("photo.jpg", "holiday/one.jpg"):
        shutil.copy(photo, tmp_path / name)
    write_video(tmp_path / "talk.mp4", [np.asarray(Image.open(photo))] * 6)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "prediction.md").read_text()
    blocks = BLOCKS.findall(text.partition("## In Python")[2])
    assert len(blocks) == 7
    names = {}
    for block in blocks:
        exec(compile(block, "docs/prediction.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("happy 0.")
    assert lines[1] == "gone.jpg: no such file."
    assert lines[2] == "holiday/one.jpg ['happy']"
    assert lines[3:5] == ["photo.jpg 1", "skipped: gone.jpg: no such file."]
    assert [line.split()[0::2] for line in lines[5:7]] == [["0", "1"], ["5", "1"]]
    assert "unreadable" in "".join(lines[7:])
    assert len(names["table"]) == 2
