"""Small image datasets on disk for tests: AffectNet, RAF-DB and trees of class folders."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.manifest import Manifest, read_manifest
from generate_data.setup_image_folders import set_up_image_dataset
from tests.support.kaggle_files import smooth_images

AFFECTNET = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"]
RAFDB = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]


class Faces:
    """Different images, one after the other, to write to files."""

    def __init__(self, seed: int = 0) -> None:
        self.images = iter(smooth_images(400, seed))

    def write(
        self,
        path: Path,
        image: np.ndarray | None = None,
        color: bool = True,
        size: tuple[int, int] | None = None,
    ) -> Path:
        """Writes an image, the next one by default, and returns its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        image = next(self.images) if image is None else image
        image = cv2.merge([image, image, 255 - image]) if color and image.ndim == 2 else image
        assert cv2.imwrite(str(path), image if size is None else cv2.resize(image, size))
        return path


def file_states(folder: Path) -> dict[str, tuple[str, int]]:
    """Returns name, hash and modification time of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in files
    }


def annotate(root: Path, part: str, number: int, label: object, faces: Faces) -> None:
    """Writes one AffectNet image with its annotation."""
    faces.write(root / part / f"images/{number}.jpg")
    (root / part / "annotations").mkdir(exist_ok=True)
    np.save(root / part / f"annotations/{number}_exp.npy", np.array(label))


def rafdb_list(root: Path) -> Path:
    """Returns the path of RAF-DB's list of labels."""
    return root / "EmoLabel/list_patition_label.txt"


def write_tree(root: Path, names: list[str], faces: Faces) -> Path:
    """Writes an image to each of these paths below root."""
    for name in names:
        faces.write(root / name)
    return root


def votes_for(number: int) -> list[int]:
    """Returns eight votes for the class of that number, one for the next and one for unknown."""
    votes = [0] * 10
    votes[number % 8] += 8
    votes[(number + 1) % 8] += 1
    votes[8] += 1
    return votes


def write_ferplus_folders(root: Path, faces: Faces) -> Path:
    """Writes FERPlus' own output: 16 train, 8 val and 8 test images, each class in turn."""
    number = 0
    for part, count in (("FER2013Train", 16), ("FER2013Valid", 8), ("FER2013Test", 8)):
        lines = []
        for _ in range(count):
            name = f"fer{number:07d}.png"
            faces.write(root / part / name, color=False)
            lines.append(f'{name},"(0, 0, 48, 48)",{",".join(map(str, votes_for(number)))}')
            number += 1
        (root / part / "label.csv").write_text("\n".join(lines) + "\n")
    return root


def set_up_and_read(
    data: Path, dataset: str, source: Path, **options: object
) -> tuple[dict, Manifest, dict[str, tuple[str, str]]]:
    """Sets up a dataset.

    Returns:
        The summary, the manifest, and {path below the source: (split, class)}.
    """
    summary = set_up_image_dataset(data, dataset, source, progress=False, **options)
    manifest = read_manifest(data)
    table = manifest.table
    start = len(source.as_posix()) + 1
    rows = zip(table["path"].str[start:], table["split"], table["label"], strict=True)
    found = {path: (split, manifest.class_names[label]) for path, split, label in rows}
    return summary, manifest, found


def assert_refused(match: str, data: Path, dataset: str, source: Path, **options: object) -> str:
    """Checks that set-up raises a matching DataError and writes no manifest; returns its text."""
    with pytest.raises(DataError, match=match) as caught:
        set_up_image_dataset(data, dataset, source, progress=False, **options)
    assert not (data / "manifest.csv").exists()
    return str(caught.value)
