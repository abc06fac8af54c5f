"""Small files in the layouts of Kaggle, made of smooth random images, for tests."""

import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
Labels = Sequence[int] | np.ndarray | None
NAMES_OF_USAGE = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}


def smooth_images(count: int, seed: int = 0) -> np.ndarray:
    """Returns uint8 (count, 48, 48): independent images with broad and fine detail."""
    random = np.random.default_rng(seed)
    images = np.empty((count, 48, 48), np.uint8)
    for index in range(count):
        broad = cv2.resize(random.normal(0, 1, (6, 6)), (48, 48), interpolation=cv2.INTER_CUBIC)
        fine = cv2.GaussianBlur(random.normal(0, 1, (48, 48)), (0, 0), 2.0) * 5
        images[index] = np.clip(128 + 40 * broad + 15 * fine, 0, 255).astype(np.uint8)
    return images


def pixel_text(image: np.ndarray) -> str:
    """Returns the pixels of one image in Kaggle's notation."""
    return " ".join(map(str, image.ravel().tolist()))


def rows_of(
    images: np.ndarray, labels: Labels = None, usages: list[str] | None = None
) -> list[dict[str, str]]:
    """Returns the fields of each image; without labels, they are 0 to 6 in turn."""
    labels = [index % 7 for index in range(len(images))] if labels is None else labels
    rows = [
        {"emotion": str(label), "pixels": pixel_text(image)}
        for image, label in zip(images, labels, strict=True)
    ]
    for row, usage in zip(rows, usages or [], strict=False):
        row["Usage"] = usage
    return rows


def csv_text(
    rows: list[dict[str, str]],
    columns: tuple[str, ...],
    header: str | None = None,
    quote: bool = False,
) -> str:
    """Returns the text of a CSV file; `header` replaces its first line."""
    lines = [",".join(columns) if header is None else header]
    for row in rows:
        lines.append(
            ",".join(
                f'"{row[name]}"' if quote and name == "pixels" else row[name] for name in columns
            )
        )
    return "\n".join(lines) + "\n"


def write_train_csv(path: Path, images: np.ndarray, labels: Labels = None) -> Path:
    """Writes train.csv: emotion,pixels."""
    path.write_text(csv_text(rows_of(images, labels), ("emotion", "pixels")))
    return path


def write_test_csv(path: Path, images: np.ndarray) -> Path:
    """Writes test.csv: pixels."""
    path.write_text(csv_text(rows_of(images), ("pixels",)))
    return path


def usages_for(train: int, val: int = 0, test: int = 0) -> list[str]:
    """Returns the Usage of each row, in Kaggle's order."""
    return ["Training"] * train + ["PublicTest"] * val + ["PrivateTest"] * test


def write_icml_csv(
    path: Path, images: np.ndarray, usages: list[str], labels: Labels = None
) -> Path:
    """Writes icml_face_data.csv: "emotion, Usage, pixels", with these spaces."""
    rows = rows_of(images, labels, usages)
    path.write_text(csv_text(rows, ("emotion", "Usage", "pixels"), header="emotion, Usage, pixels"))
    return path


def write_fer2013_csv(
    path: Path, images: np.ndarray, usages: list[str], labels: Labels = None
) -> Path:
    """Writes fer2013.csv: emotion,pixels,Usage."""
    path.write_text(csv_text(rows_of(images, labels, usages), ("emotion", "pixels", "Usage")))
    return path


def zip_file(path: Path, files: dict[str, bytes]) -> Path:
    """Writes a .zip with these entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_file(path: Path, files: dict[str, bytes]) -> Path:
    """Writes a .tar.gz with these entries."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_class_folders(root: Path, images: np.ndarray, names: list[str]) -> Path:
    """Writes images to root/name, such as train/angry/Training_1.png."""
    for image, name in zip(images, names, strict=True):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    return root


def write_ferplus_csv(path: Path, usages: list[str]) -> Path:
    """Writes fer2013new.csv; row i has i%11 votes for neutral and 10 - i%11 for happiness."""
    lines = [
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    ]
    lines += [
        f"{usage},fer{i:07d}.png,{i % 11},{10 - i % 11},0,0,0,0,0,0,0,0"
        for i, usage in enumerate(usages)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
