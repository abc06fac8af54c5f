"""Compares `predict_many`, which reads photos ahead in threads, with `predict` in a loop.

python benchmarks/many_photos_speed.py --save

Each run predicts the same 24 photos of four formats with one face (the astronaut of scikit-image,
760x960 pixels). The ratio depends on the free cores: measure it on an idle machine.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import paired
from PIL import Image
from skimage import data

PHOTOS, SUFFIXES = 24, ("jpg", "png", "webp", "bmp")
WEIGHTS = "deep_emotion-fer2013"


def write_photos(folder: Path) -> list[Path]:
    """Write PHOTOS photos; returns their files."""
    astronaut, files = Image.fromarray(data.astronaut()), []
    for number in range(PHOTOS):
        files.append(folder / f"{number}.{SUFFIXES[number % len(SUFFIXES)]}")
        astronaut.crop((number, 0, 380 + number, 480)).resize((760, 960)).save(files[-1])
    return files


def prepare(is_together: bool) -> Callable[[], None]:
    """A contestant: `predict_many`, or `predict` photo by photo."""
    from ferkit import Recognizer  # late: after `paired` has set the path

    folder = tempfile.TemporaryDirectory()
    recognizer, files = Recognizer(WEIGHTS), write_photos(Path(folder.name))

    def run(_: tempfile.TemporaryDirectory = folder) -> None:
        if is_together:
            faces = sum(map(len, recognizer.predict_many(files)))
        else:
            faces = sum(len(recognizer.predict(file)) for file in files)
        assert faces == PHOTOS

    return run


OURS = "predict_many"
CONTESTANTS = {OURS: lambda: prepare(True), "predict in a loop": lambda: prepare(False)}


if __name__ == "__main__":
    raise SystemExit(
        paired.main(__file__, "Many photos speed", CONTESTANTS, OURS, "photos", PHOTOS, __doc__)
    )
