"""`runs`: lists the training runs in a folder."""

import argparse
import dataclasses

from ferkit.cli.arguments import SORT_ORDERS
from ferkit.outputs import check_outputs

EXAMPLES = """\
examples:
  python main.py runs
      every run in runs/ and its subfolders, best first
  python main.py runs runs/compare-2026-05-04_12-00-00 --sort name
  python main.py runs --sort started
      newest first
  python main.py runs --csv runs.csv --json runs.json

A run is a folder with a recipe.json. Accuracy, clean accuracy, macro F1 and loss are those of the
validation split, at the epoch with the best accuracy. A damaged run folder is listed as unreadable.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the user gave to `runs`.

    Attributes:
        folder: where to look.
        sort: one of ``SORT_ORDERS``.
        csv, json: files for the table.
    """

    folder: str
    sort: str
    csv: str | None
    json: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `runs`."""
    parser.add_argument(
        "folder", nargs="?", default="runs", metavar="FOLDER", help="where to look (default: runs)"
    )
    parser.add_argument(
        "--sort",
        type=str.lower,
        choices=SORT_ORDERS,
        default="best",
        help="best validation accuracy first, by name, or newest first (default: best)",
    )
    parser.add_argument("--csv", default=None, metavar="FILE", help="also write the table as CSV")
    parser.add_argument(
        "--json", default=None, metavar="FILE", help="also write the table as a JSON list"
    )


def run(options: Options) -> int:
    """Print the table, and write it where asked; returns the exit code."""
    from ferkit.reporting import run_table  # late: NumPy

    read = run_table.read_files(options.folder) if options.csv or options.json else []
    check_outputs({"--csv": options.csv, "--json": options.json}, read)
    rows = run_table.list_runs(options.folder, options.sort)
    print(run_table.format_run_table(rows))
    if options.csv:
        run_table.write_runs_csv(options.csv, rows)
        print(f"Written: {options.csv}")
    if options.json:
        run_table.write_runs_json(options.json, rows)
        print(f"Written: {options.json}")
    return 0
