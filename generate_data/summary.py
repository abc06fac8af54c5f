"""What set-up found and did: as a dictionary, and as the text that the user sees."""

import numpy as np

from generate_data.copies.find import Copies
from generate_data.rows import SPLITS, Rows, count_classes

SHOWN = 20


def count_splits(rows: Rows, splits: np.ndarray, class_names: tuple[str, ...]) -> dict[str, dict]:
    """{"train": {"rows": 28709, "classes": {"angry": 3995, ...}}, ...}; no classes where there are no labels."""
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
    """For each pair of splits the rows of the first that have a copy in the second; within a split, an earlier copy."""
    names = [name for name in SPLITS if (splits == name).any()]
    counts = []
    for index, name in enumerate(names):
        for other in [*names[:index], name]:
            source, kind = copies.sources(splits == other, splits == name, earlier=name == other)
            marked = np.flatnonzero(source >= 0)
            labels, theirs = rows.labels[marked], rows.labels[source[marked]]
            differ = int(((labels != theirs) & (labels >= 0) & (theirs >= 0)).sum())
            exact, near = (int((kind == which).sum()) for which in ("exact", "near"))
            counts.append(
                {"rows": name, "of": other, "exact": exact, "near": near, "other_label": differ}
            )
    return counts


def format_summary(summary: dict) -> str:
    """The text that set-up prints.

    Args:
        summary: as `set_up` returns it.
    """
    lines = [f"Took {' and '.join(summary['taken'])}."]
    if summary["ignored"]:
        lines.append(f"Left aside: {', '.join(summary['ignored'])}.")
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    if summary["skipped_rows"]:
        lines.append(f"Dropped {summary['skipped_rows']} bad rows, among them:")
        lines += [f"  {line}" for line in summary["skipped"]]
    lines += ["", *class_table(summary), ""]
    if summary["val_from"] == "train":
        lines.append(
            f"val is a random eighth of the train rows (seed {summary['seed']}), with copies on one side of the line."
        )
    lines += [*copy_table(summary["copies"]), ""]
    if summary["votes"]:
        lines.append("FER+ votes are in the column votes of the manifest.")
    lines.append(f"Wrote {summary['rows']:,} images and {summary['manifest']}.")
    return "\n".join(lines)


def class_table(summary: dict) -> list[str]:
    """Lines: how many images each class has in each split."""
    splits = summary["splits"]
    wide = max(10, *(len(name) + 2 for name in summary["class_names"]))
    lines = [f"{'':{wide}}" + "".join(f"{name:>12}" for name in splits)]
    for name in summary["class_names"]:
        values = [split["classes"][name] if split["classes"] else None for split in splits.values()]
        lines.append(
            f"{name:{wide}}"
            + "".join(f"{'' if value is None else format(value, ','):>12}" for value in values)
        )
    lines.append(f"{'all':{wide}}" + "".join(f"{split['rows']:>12,}" for split in splits.values()))
    return lines


def copy_table(copies: list[dict]) -> list[str]:
    """Lines: how many rows of each split copy a photo of another, or an earlier one of their own."""
    lines = [f"{'Rows that copy a photo':32}{'exact':>8}{'near':>8}{'labelled otherwise':>20}"]
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
