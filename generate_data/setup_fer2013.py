"""Set-up of FER2013: writes a dataset on disk from Kaggle's files, completely or not at all."""

import dataclasses
from pathlib import Path

import numpy as np

from generate_data.copies.find import Copies, find_copies
from generate_data.errors import DataError
from generate_data.images.output_folder import ImageFolder, folder_name, remove_leftovers
from generate_data.manifest import MANIFEST, manifest_text, refuse_other_dataset, write_manifest
from generate_data.progress import ProgressBar
from generate_data.readers.fer2013 import Source, read_source
from generate_data.readers.ferplus import join_votes
from generate_data.rows import SHOWN, Rows, raise_on_errors
from generate_data.splits import choose_val
from generate_data.summary import (
    count_copies,
    count_splits,
    format_summary,
    untrained_classes,
)
from generate_data.work_folder import work_folder

__all__ = ["format_summary", "set_up"]

READING, WRITING, SEARCHING = 0.35, 0.3, 0.35  # of the time, for the progress bar
ROWS = 32298  # about as many as there are


def set_up(
    folder: str | Path,
    source: str | Path | None = None,
    seed: int = 0,
    skip_bad_rows: bool = False,
    ferplus: str | Path | None = None,
    progress: bool = True,
) -> dict:
    """Writes a dataset: images, dataset.json and, last, manifest.csv.

    If it is killed, the earlier dataset stays, or an unfinished one that the next set-up removes.
    The same input and seed give the same bytes. The input is never changed.

    Args:
        folder: the folder of the dataset; also the source if `source` is not given.
        source: a CSV file, an archive, or a folder with such files or with class folders.
        seed: seed of the duplicate search, and of the draw of val if the source has none.
        skip_bad_rows: drop invalid rows instead of raising an error.
        ferplus: fer2013new.csv, for the column `votes`.
        progress: show a progress bar on stderr.

    Returns:
        The results; `format_summary` formats them as text.

    Raises:
        DataError: the source or the folder is not usable.

    Example:
        >>> print(format_summary(set_up("data")))
    """
    folder = Path(folder)
    source_path = Path(source) if source is not None else folder
    votes_path = Path(ferplus) if ferplus else None
    with work_folder(folder) as work:
        if not source_path.exists():
            advice = "create it and put Kaggle's FER2013 files there, or use --sample"
            raise DataError(source_path, "no such folder or file", advice)
        if source is not None:
            folder.mkdir(parents=True, exist_ok=True)
        refuse_other_dataset(folder, "fer2013")
        remove_leftovers(folder)
        work.mkdir()
        with ProgressBar(progress) as bar:
            images = ImageFolder(folder, work, lambda count: bar.add(count / ROWS * WRITING))
            try:
                found = read_source(
                    source_path, lambda share: bar.add(share * READING), images.add, work
                )
                made = _split(found, votes_path, images, seed, skip_bad_rows, bar)
                images.finish(made.image_folder)
            finally:
                images.stop()
        write_manifest(folder, made.manifest, made.description, work)
    remove_leftovers(folder, keep=made.image_folder)
    return {
        **made.description,
        **made.facts,
        "folder": str(folder),
        "manifest": str(folder / MANIFEST),
        "images": made.image_folder,
    }


@dataclasses.dataclass(frozen=True)
class _Dataset:
    """A dataset before it is written.

    Args:
        image_folder: the name of the folder of its images.
        manifest: the content of manifest.csv.
        description: the content of dataset.json.
        facts: further facts for the summary.
    """

    image_folder: str
    manifest: str
    description: dict
    facts: dict


def _split(
    found: Source,
    ferplus: Path | None,
    images: ImageFolder,
    seed: int,
    skip_bad_rows: bool,
    bar: ProgressBar,
) -> _Dataset:
    """Joins votes, finds duplicates and draws val."""
    images.check()
    rows = found.rows
    raise_on_errors(rows, ", ".join(found.files), skip_bad_rows)
    votes = join_votes(rows, ferplus) if ferplus else None
    copies = find_copies(rows.images, seed, lambda share: bar.add(share * SEARCHING))
    image_folder = folder_name(found.image_names, rows.images)
    splits, val_from = _splits(rows, copies, seed)
    paths = [f"{image_folder}/{name}" for name in found.image_names]
    description = {
        "class_names": list(rows.class_names),
        "image_size": list(rows.images.shape[1:3]),
        "channels": 1,
        "seed": seed,
        "taken": found.files,
        "val_from": val_from,
        "skipped_rows": len(rows.errors),
        "splits": count_splits(rows, splits, rows.class_names),
        "copies": count_copies(rows, splits, copies),
        "votes": votes is not None,
    }
    facts = {
        "rows": len(rows),
        "ignored": found.ignored,
        "warnings": rows.warnings + untrained_classes(rows.labels, splits, rows.class_names),
        "skipped": rows.errors[:SHOWN],
    }
    manifest = _table(rows, splits, val_from, copies, paths, votes)
    return _Dataset(image_folder, manifest, description, facts)


def _splits(rows: Rows, copies: Copies, seed: int) -> tuple[np.ndarray, str]:
    """Returns the split of each row, and the origin of val: "source", or "train" if it is drawn."""
    splits = rows.splits.copy()
    train = np.flatnonzero(splits == "train")
    if not len(splits):
        raise DataError("set-up", "no valid row in the source", "download the file again")
    # Without train rows the dataset is only for evaluation, without duplicate-free accuracies.
    if not len(train) or (splits == "val").any():
        return splits, "source"
    chosen = choose_val(rows.labels[train], copies.groups()[train], seed)
    splits[train[chosen]] = "val"
    return splits, "train"


def _table(
    rows: Rows,
    splits: np.ndarray,
    val_from: str,
    copies: Copies,
    paths: list[str],
    votes: np.ndarray | None,
) -> str:
    """Formats the manifest, with the copy of each row marked."""
    source_rows = rows.source_rows.tolist()
    columns = [
        paths,
        [label if label >= 0 else "" for label in rows.labels.tolist()],
        splits.tolist(),
        rows.sources.tolist(),
        source_rows,
        *copies.columns(splits, source_rows, val_from),
    ]
    if votes is not None:
        columns.append(votes.tolist())
    return manifest_text(zip(*columns, strict=True), () if votes is None else ("votes",))
