"""What set-up of an image dataset tells the user."""

from generate_data.summary import class_table, copy_table


def format_image_summary(summary: dict) -> str:
    """The text that set-up prints.

    Args:
        summary: as `set_up_image_dataset` returns it.
    """
    lines = [f"Took {' and '.join(summary['taken'])}, in {summary['source']}."]
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    if summary["skipped_labels"]:
        left = ", ".join(f"{count:,} {name}" for name, count in summary["skipped_labels"].items())
        lines.append(f"Left out by label: {left}.")
    if summary["skipped_rows"]:
        lines.append(f"Dropped {summary['skipped_rows']:,} bad images, among them:")
        lines += [f"  {line}" for line in summary["skipped"]]
    lines += ["", *class_table(summary), "", *_drawn(summary), *copy_table(summary["copies"])]
    if summary["near_copies"]:
        lines.append(f"Near copies were not looked for: {summary['near_copies']}.")
    size = summary["image_size"]
    sizes = f"of {size[1]}x{size[0]} pixels" if size else "of several sizes"
    kind = "gray" if summary["channels"] == 1 else "colour"
    lines += [
        "",
        f"The {summary['rows']:,} {kind} images {sizes} stay where they are.",
        f"Wrote {summary['manifest']}.",
    ]
    return "\n".join(lines)


def _drawn(summary: dict) -> list[str]:
    behind = f"(seed {summary['seed']}), with copies on one side of the line."
    if summary["val_from"] == "all":
        return [f"val and test are each a random eighth of all images {behind}"]
    return (
        [f"val is a random eighth of the train images {behind}"]
        if summary["val_from"] == "train"
        else []
    )
