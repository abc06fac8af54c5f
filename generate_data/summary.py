"""The results of set-up: counts as dictionaries, and the text that set-up prints."""

from pathlib import Path

import numpy as np

from generate_data.copies.find import Copies
from generate_data.errors import escaped
from generate_data.labels import SPLITS
from generate_data.rows import Rows, count_classes


def count_splits(rows: Rows, splits: np.ndarray, class_names: tuple[str, ...]) -> dict[str, dict]:
    """Counts the images of each split and class.

    Returns:
        `{"train": {"rows": 28709, "classes": {"angry": 3995, ...}}, ...}`; `classes` is None for a
        split without labels.
    """
    counts = {}
    for name in SPLITS:
        labels = rows.labels[splits == name]
        if len(labels):
            labelled = bool((labels >= 0).all())
            counts[name] = {
                "rows": len(labels),
                "classes": count_classes(labels, class_names) if labelled else None,
            }
    return counts


def count_copies(rows: Rows, splits: np.ndarray, copies: Copies) -> list[dict]:
    """Counts, for each pair of splits, the rows of the first that have a duplicate in the second.

    Within one split, it counts rows that have an earlier duplicate.
    """
    names = [name for name in SPLITS if (splits == name).any()]
    counts = []
    for index, name in enumerate(names):
        for other in [*names[:index], name]:
            source, kind = copies.sources(splits == other, splits == name, earlier=name == other)
            marked = np.flatnonzero(source >= 0)
            labels, source_labels = rows.labels[marked], rows.labels[source[marked]]
            differ = int(((labels != source_labels) & (labels >= 0) & (source_labels >= 0)).sum())
            exact, near = (int((kind == which).sum()) for which in ("exact", "near"))
            counts.append(
                {"rows": name, "of": other, "exact": exact, "near": near, "other_label": differ}
            )
    return counts


def untrained_classes(
    labels: np.ndarray, splits: np.ndarray, class_names: tuple[str, ...]
) -> list[str]:
    """Returns a warning if a class has no train image; none if the dataset has no train images."""
    trained = set(labels[splits == "train"].tolist())
    names = [name for label, name in enumerate(class_names) if label not in trained]
    if not names or not trained:
        return []
    return [f"no train image of {', '.join(names)}: a model cannot learn it."]


def format_summary(summary: dict) -> str:
    """Formats the text that set-up of FER2013 prints.

    Args:
        summary: the return value of `set_up`.
    """
    lines = [f"Read {escaped(' and '.join(summary['taken']))}."]
    if summary["ignored"]:
        lines.append(f"Not used: {escaped(', '.join(summary['ignored']))}.")
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    if summary["skipped_rows"]:
        lines.append(f"Dropped {summary['skipped_rows']} bad rows, among them:")
        lines += [f"  {line}" for line in summary["skipped"]]
    lines += ["", *class_table(summary), ""]
    if summary["val_from"] == "train":
        lines.append(
            f"val is a random eighth of the train rows (seed {summary['seed']}), "
            "with duplicates kept in one split."
        )
    lines += [*copy_table(summary["copies"]), ""]
    if summary["votes"]:
        lines.append("FER+ votes are in the column votes of the manifest.")
    lines.append(f"Wrote {summary['rows']:,} images and {summary['manifest']}.")
    return "\n".join(lines)


def format_image_summary(summary: dict) -> str:
    """Formats the text that set-up of an image dataset prints.

    Args:
        summary: the return value of `set_up_image_dataset`.
    """
    lines = [f"Read {' and '.join(summary['taken'])}, in {summary['source']}."]
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    if summary["skipped_labels"]:
        skipped = ", ".join(
            f"{count:,} {name}" for name, count in summary["skipped_labels"].items()
        )
        lines.append(f"Skipped by label: {skipped}.")
    if summary["skipped_rows"]:
        lines.append(f"Dropped {summary['skipped_rows']:,} bad images, among them:")
        lines += [f"  {line}" for line in summary["skipped"]]
    lines += [
        "",
        *class_table(summary),
        "",
        *_drawn_splits(summary),
        *copy_table(summary["copies"]),
    ]
    if summary["near_copies"]:
        lines.append(f"Near-duplicates were not searched: {summary['near_copies']}.")
    if summary["votes"]:
        lines.append("FER+ votes are in the column votes of the manifest.")
    size = summary["image_size"]
    sizes = f"of {size[1]}x{size[0]} pixels" if size else "of several sizes"
    kind = "gray" if summary["channels"] == 1 else "color"
    unpacked = Path(summary["folder"]) / summary["unpacked"]
    place = f"are in {unpacked}" if summary["unpacked"] else "stay where they are"
    lines += [
        "",
        f"The {summary['rows']:,} {kind} images {sizes} {place}.",
        f"Wrote {summary['manifest']}.",
    ]
    return "\n".join(lines)


def _drawn_splits(summary: dict) -> list[str]:
    together = f"duplicates and each of the {summary['persons']} persons"
    suffix = (
        f"(seed {summary['seed']}), with {together if summary['persons'] else 'duplicates'} "
        "kept in one split."
    )
    if summary["val_from"] == "all":
        return [f"val and test are each a random eighth of all images {suffix}"]
    return (
        [f"val is a random eighth of the train images {suffix}"]
        if summary["val_from"] == "train"
        else []
    )


def class_table(summary: dict) -> list[str]:
    """Formats the table of image counts by class and split."""
    splits = summary["splits"]
    width = max(10, *(len(name) + 2 for name in summary["class_names"]))
    lines = [f"{'':{width}}" + "".join(f"{name:>12}" for name in splits)]
    for name in summary["class_names"]:
        values = [split["classes"][name] if split["classes"] else None for split in splits.values()]
        lines.append(
            f"{name:{width}}"
            + "".join(f"{'' if value is None else format(value, ','):>12}" for value in values)
        )
    lines.append(f"{'all':{width}}" + "".join(f"{split['rows']:>12,}" for split in splits.values()))
    return lines


def copy_table(copies: list[dict]) -> list[str]:
    """Formats the table of duplicates between splits and within each split."""
    lines = [f"{'Rows that duplicate a photo':32}{'exact':>8}{'near':>8}{'with another label':>20}"]
    for count in copies:
        same = count["rows"] == count["of"]
        what = (
            f"{count['rows']} of earlier {count['of']}"
            if same
            else f"{count['rows']} of {count['of']}"
        )
        unlabelled = "unlabelled" in (count["rows"], count["of"])
        differ = "" if unlabelled else format(count["other_label"], ",")
        lines.append(f"  {what:30}{count['exact']:>8,}{count['near']:>8,}{differ:>20}")
    return lines
