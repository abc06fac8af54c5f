"""Figures of groups of images, such as by age or camera: whether a model serves all of them alike.

The groups come from the user's CSV file, which is joined to the manifest by the image's path.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ferkit.errors import UserError, foreign_format
from ferkit.evaluation.metrics import confusion_matrix, expected_calibration_error, per_class
from generate_data.manifest import MANIFEST, Manifest

PATH = "path"
MOST_GROUPS = 50  # a column with more different values is not one of groups
FEWEST_IMAGES = 30  # a smaller group has figures, but no part in the test
PERMUTATIONS = 2000
_NORMAL_QUANTILE = 1.959964  # of a 95 % interval

Groups = dict[str, np.ndarray]  # column -> group of each row of the split, "" without one


def read_groups(path: str | Path, manifest: Manifest, split: str) -> Groups:
    """The groups of the rows of a split.

    Args:
        path: a CSV file with the column "path" and one column or more of groups. A path is that of
            manifest.csv, or one relative to the dataset's folder or to the folder of its source.
        manifest: of the dataset.
        split: name of the split.

    Returns:
        For each column, str ``(rows,)``. A column with more than ``MOST_GROUPS`` different values
        is left out.

    Raises:
        UserError: the file is not such a table, lists an image with two different groups, or
            contains fewer than half of the split's images.

    Example:
        >>> read_groups("people.csv", manifest, "val")
        {'age': array(['20-29', '', ...]), 'glasses': array(['no', 'no', ...])}
    """
    with foreign_format(UserError, path, "cannot be read as CSV", "save it as CSV in UTF-8"):
        columns, rows = _read_table(path)
    of_image: dict[str, list[str]] = {}
    for line, image, groups in rows:
        if of_image.setdefault(image, groups) != groups:
            problem = f"{image} is listed again, with other groups"
            raise UserError(f"{path} line {line}", problem, "list each image once")
    names = [_names(manifest, image) for image in manifest.split(split)["path"]]
    none = [""] * len(columns)
    found = [next((of_image[name] for name in n if name in of_image), none) for n in names]
    matched = sum(groups is not none for groups in found)
    if 2 * matched < len(found):
        problem = f"has {matched:,} of the {len(found):,} images of the {split} split, need half"
        advice = f"write paths as in {manifest.folder / MANIFEST}, such as {names[0][0]}"
        raise UserError(path, problem, advice)
    table = np.array(found, dtype=str)
    usable = {
        name: table[:, k] for k, name in enumerate(columns) if len(set(table[:, k])) <= MOST_GROUPS
    }
    if not usable:
        problem = f"no column has at most {MOST_GROUPS} different values"
        raise UserError(path, problem, "join values to groups, such as ages to decades")
    return usable


def measure_groups(
    probabilities: np.ndarray, labels: np.ndarray, groups: Groups, seed: int = 0
) -> dict[str, Any]:
    """Figures of each group, and a test of the largest gap between two, as JSON values.

    Args:
        probabilities: ``(rows, classes)``.
        labels: int ``(rows,)``.
        groups: those of ``read_groups``.
        seed: of the permutations.

    Returns:
        For each column: "groups", name -> "images", "accuracy" with its 95 % interval (Wilson),
        "balanced_accuracy", "expected_calibration_error" and "recall" for each class index (None
        without images); "gap", the accuracies' largest difference between two groups of at least
        ``FEWEST_IMAGES``; "gap_groups", the better and the worse of these; "adjusted_gap"; and
        "p_value" of ``permutation_test``. The last four are None with fewer than two such groups.
    """
    return {name: _column(probabilities, labels, of, seed) for name, of in groups.items()}


def permutation_test(
    correct: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int = 0
) -> float:
    """How often chance alone gives an adjusted gap at least as large as the measured one.

    Groups are permuted among images of the same class.

    Args:
        correct: bool ``(rows,)``: whether the prediction is right.
        labels: int ``(rows,)``.
        groups: int ``(rows,)``, from 0, each with one row at least.
        seed: of the permutations.

    Returns:
        The p-value, at least 1 / (``PERMUTATIONS`` + 1).

    Reference: Phipson and Smyth, Permutation p-values should never be zero, 2010.
    """
    numbers = np.random.default_rng(seed)
    by_class = np.argsort(labels, kind="stable")
    surprise, groups = _surprise(correct, labels)[by_class], groups[by_class]
    measured = _gap(surprise, groups)
    # Random keys in the unit interval of the row's class: sorting permutes within each class.
    of_class = np.unique(labels[by_class], return_inverse=True)[1]
    extreme = 0
    for _ in range(PERMUTATIONS):
        order = np.argsort(of_class + numbers.random(len(labels)))
        extreme += _gap(surprise, groups[order]) >= measured - 1e-12
    return (extreme + 1) / (PERMUTATIONS + 1)


def adjusted_gap(correct: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """The largest gap between two groups that does not come from their mix of expressions.

    From each image, right (1) or wrong (0), the accuracy of its class is subtracted. The gap is
    between the means of the groups. The arguments are those of ``permutation_test``.
    """
    return _gap(_surprise(correct, labels), groups)


def wilson_interval(right: int, count: int) -> list[float]:
    """The 95 % interval of an accuracy of `right` of `count` images, [low, high].

    Reference: Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Example:
        >>> [round(edge, 3) for edge in wilson_interval(8, 10)]
        [0.49, 0.943]
    """
    z2 = _NORMAL_QUANTILE**2
    share = right / count
    middle = share + z2 / (2 * count)
    half = _NORMAL_QUANTILE * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return [
        max(0.0, (middle - half) / (1 + z2 / count)),
        min(1.0, (middle + half) / (1 + z2 / count)),
    ]


def format_groups(figures: dict[str, Any]) -> str:
    """The figures of ``measure_groups`` as tables for the terminal."""
    lines = []
    for column, found in figures.items():
        lines += ["", f"By {column}:"]
        lines += [
            f"  {name[:23]:<24}{row['accuracy']:>8.2%} [{row['accuracy_interval'][0]:.2%}, "
            f"{row['accuracy_interval'][1]:.2%}]  balanced {row['balanced_accuracy']:.2%}, "
            f"calibration error {row['expected_calibration_error']:.2%}, {row['images']:,} images"
            + ("" if row["images"] >= FEWEST_IMAGES else ", too few to compare")
            for name, row in found["groups"].items()
        ]
        lines.append(f"  {gap_text(found, len(figures))}")
    return "\n".join(lines[1:])


def gap_text(found: dict[str, Any], tests: int) -> str:
    """The largest gap of one column in words.

    Args:
        found: the figures of the column.
        tests: how many columns were tested.
    """
    if found["gap"] is None:
        return f"fewer than two groups of {FEWEST_IMAGES} images: no test"
    better, worse = found["gap_groups"]
    several = f", one of {tests} tests" if tests > 1 else ""
    return (
        f"largest gap: {100 * found['gap']:.1f} points, {better} against {worse}; adjusted for the "
        f"expressions, the largest gap is {100 * found['adjusted_gap']:.1f} points, "
        f"p = {found['p_value']:.4f} (permutation{several})"
    )


def _read_table(path: str | Path) -> tuple[list[str], list[tuple[int, str, list[str]]]]:
    """Names of the columns of groups, and rows: line number, path and groups."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        columns = [name for name in header if name and name != PATH]
        if header.count(PATH) != 1 or not columns or len(set(columns)) < len(columns):
            problem = f"columns {', '.join(header) or 'none'}"
            raise UserError(path, problem, f"need {PATH} and one column or more of groups")
        places = [header.index(name) for name in columns]
        rows = []
        for row in reader:
            if row and len(row) != len(header):
                problem = f"{len(row)} cells, expected {len(header)}"
                raise UserError(f"{path} line {reader.line_num}", problem, "correct this line")
            if row:
                image = PurePosixPath(row[header.index(PATH)].strip().replace("\\", "/"))
                rows.append((reader.line_num, str(image), [row[k].strip() for k in places]))
    return columns, rows


def _names(manifest: Manifest, image: str) -> list[str]:
    """The ways to write the path of an image, that of the manifest first."""
    return [image, *_other_names(manifest, image)]


def _other_names(manifest: Manifest, image: str) -> Iterator[str]:
    absolute = manifest.folder.resolve() / image
    yield absolute.as_posix()
    yield (manifest.folder / image).as_posix()
    for folder in (manifest.folder, Path(str(manifest.description.get("source")))):
        if absolute.is_relative_to(folder.resolve()):
            yield absolute.relative_to(folder.resolve()).as_posix()


def _column(
    probabilities: np.ndarray, labels: np.ndarray, of: np.ndarray, seed: int
) -> dict[str, Any]:
    names = [name for name in np.unique(of) if name]
    found = {str(name): _group(probabilities[of == name], labels[of == name]) for name in names}
    large = [name for name, row in found.items() if row["images"] >= FEWEST_IMAGES]
    if len(large) < 2:
        nothing = dict.fromkeys(("gap", "gap_groups", "adjusted_gap", "p_value"))
        return {"groups": found, **nothing}
    rows = np.isin(of, large)
    number = np.unique(of[rows], return_inverse=True)[1]
    correct = (probabilities.argmax(axis=1) == labels)[rows]
    ranked = sorted(large, key=lambda name: found[name]["accuracy"])
    return {
        "groups": found,
        "gap": found[ranked[-1]]["accuracy"] - found[ranked[0]]["accuracy"],
        "gap_groups": [ranked[-1], ranked[0]],
        "adjusted_gap": adjusted_gap(correct, labels[rows], number),
        "p_value": permutation_test(correct, labels[rows], number, seed),
    }


def _group(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    predicted = probabilities.argmax(axis=1)
    right, classes = int((predicted == labels).sum()), probabilities.shape[1]
    rows = per_class(confusion_matrix(labels, predicted, classes), [str(k) for k in range(classes)])
    recall = [row["recall"] if row["support"] else None for row in rows.values()]
    return {
        "images": len(labels),
        "accuracy": right / len(labels),
        "accuracy_interval": wilson_interval(right, len(labels)),
        "balanced_accuracy": float(np.mean([value for value in recall if value is not None])),
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
        "recall": recall,
    }


def _surprise(correct: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each row is right, minus the accuracy of its class."""
    of_class = np.unique(labels, return_inverse=True)[1]
    return correct - (np.bincount(of_class, weights=correct) / np.bincount(of_class))[of_class]


def _gap(values: np.ndarray, groups: np.ndarray) -> float:
    means = np.bincount(groups, weights=values) / np.bincount(groups)
    return float(means.max() - means.min())
