"""Set-up of datasets of image files: AffectNet, RAF-DB, class folders, FER+ and parquet files."""

import os
from pathlib import Path

import numpy as np

from generate_data.copies.find import Copies
from generate_data.copies.find_in_files import MOST, find_image_copies
from generate_data.errors import DataError
from generate_data.folder_contents import PassedOver, images_below, state_of
from generate_data.images.face_box import box_text
from generate_data.images.output_folder import move_into_place, remove_leftovers
from generate_data.images.scan import Scan, scan_images
from generate_data.labels import CLASS_COUNTS, IMAGE_DATASETS
from generate_data.manifest import MANIFEST, manifest_text, refuse_other_dataset, write_manifest
from generate_data.progress import ProgressBar
from generate_data.readers.affectnet.layouts import list_affectnet
from generate_data.readers.any_folders import list_folder_tree
from generate_data.readers.ferplus_folders import find_ferplus_folders, list_ferplus_folders
from generate_data.readers.listing import ListedImage, Listing, existing_root
from generate_data.readers.parquet_files import find_parquet_files
from generate_data.readers.rafdb.layouts import list_rafdb
from generate_data.rows import SHOWN, Rows, raise_on_errors
from generate_data.splits import PARTS, choose_val, join_persons, persons_in_several
from generate_data.summary import (
    count_copies,
    count_splits,
    format_image_summary,
    untrained_classes,
)
from generate_data.work_folder import work_folder

__all__ = ["format_image_summary", "set_up_image_dataset"]

LISTING, SCANNING, SEARCHING = 0.1, 0.75, 0.15  # of the time, for the progress bar


def set_up_image_dataset(
    folder: str | Path,
    dataset: str,
    source: str | Path,
    classes: int | None = None,
    seed: int = 0,
    skip_bad_rows: bool = False,
    progress: bool = True,
) -> dict:
    """Writes dataset.json and manifest.csv for images that stay where they are.

    Only images inside parquet files are unpacked, into the dataset's folder. The source is never
    changed. If set-up is killed, the earlier dataset stays, or an unfinished one. The same input
    and seed give the same bytes.

    Args:
        folder: the folder of the dataset, outside the source.
        dataset: affectnet, rafdb or folders.
        source: the folder of the images; see `list_affectnet`, `list_rafdb`, `list_folder_tree` and
            `list_ferplus_folders`. For folders also a parquet file, or a folder with such files.
        classes: for AffectNet: 8 (or None), or 7 without contempt.
        seed: seed of the duplicate search and of the draw of missing splits.
        skip_bad_rows: drop invalid images instead of raising an error.
        progress: show a progress bar on stderr.

    Returns:
        The results; `format_image_summary` formats them as text.

    Raises:
        DataError: the source, the folder or an argument is not usable.

    Example:
        >>> print(format_image_summary(set_up_image_dataset("data/rafdb", "rafdb", "~/RAF-DB")))
    """
    folder = Path(folder)
    given = Path(os.path.abspath(os.path.expanduser(source)))
    parquet = _parquet_files(given) if dataset == "folders" and given.exists() else []
    root = given if parquet else existing_root(given)
    _check_arguments(folder, dataset, root, classes)
    with work_folder(folder) as work:
        with ProgressBar(progress) as bar:
            if parquet:
                listing = _unpack(parquet, root, folder, work, bar)
            else:
                listing = _list(dataset, root, classes, bar)
            listing.check(skip_bad_rows)
            # Before the slow part, so that an error shows early.
            folder.mkdir(parents=True, exist_ok=True)
            if not parquet:
                remove_leftovers(folder)
                work.mkdir()
            table, description, facts = _scan_and_split(listing, dataset, seed, skip_bad_rows, bar)
        if listing.unpacked_to:
            move_into_place(listing.root, folder / listing.unpacked_to)
        write_manifest(folder, table, description, work)
    if listing.unpacked_to:
        remove_leftovers(folder, keep=listing.unpacked_to)
    return {**description, **facts, "folder": str(folder), "manifest": str(folder / MANIFEST)}


def _parquet_files(source: Path) -> list[Path]:
    """Returns the parquet files to read; none beside images in class folders."""
    files = find_parquet_files(source)
    return files if files and (source.is_file() or not images_below(source, PassedOver())) else []


def _check_arguments(folder: Path, dataset: str, root: Path, classes: int | None) -> None:
    if dataset not in IMAGE_DATASETS:
        advice = f"choose one of {', '.join(IMAGE_DATASETS)}"
        raise DataError(f"--dataset {dataset}", f"unknown dataset {dataset!r}", advice)
    if classes is not None and classes not in CLASS_COUNTS[dataset]:
        choice = " or ".join(map(str, CLASS_COUNTS[dataset])) or "none: its folders decide"
        problem = f"{classes} classes are not available for {dataset}, expected {choice}"
        raise DataError(f"--classes {classes}", problem, "change it or omit it")
    if folder.exists() and not folder.is_dir():
        raise DataError(folder, "not a folder", "give a folder after -d")
    if folder.resolve().is_relative_to(root.resolve()):
        raise DataError(
            folder,
            f"is inside the source folder {root}, which set-up never writes to",
            f"choose a folder outside it, such as -d data/{dataset}",
        )
    refuse_other_dataset(folder, dataset)


def _list(dataset: str, root: Path, classes: int | None, bar: ProgressBar) -> Listing:
    if dataset == "affectnet":
        return list_affectnet(root, classes or 8, lambda share: bar.add(share * LISTING))
    if dataset == "rafdb":
        return list_rafdb(root)
    return list_ferplus_folders(root) if find_ferplus_folders(root) else list_folder_tree(root)


def _unpack(files: list[Path], source: Path, folder: Path, work: Path, bar: ProgressBar) -> Listing:
    """Unpacks the images of parquet files into the dataset's folder."""
    # Here: pyarrow is optional and loads slowly.
    from generate_data.readers.parquet import unpack_parquet

    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    work.mkdir()
    return unpack_parquet(files, source, work, lambda share: bar.add(share * LISTING))


def _scan_and_split(
    listing: Listing, dataset: str, seed: int, skip: bool, bar: ProgressBar
) -> tuple[str, dict, dict]:
    """Scans all images, finds duplicates and draws missing splits.

    Returns:
        The manifest, the content of dataset.json, and further facts for the summary.
    """
    scan, used, errors = _scan(listing, bar)
    rows = _rows(listing, used, scan, errors)
    raise_on_errors(rows, str(listing.source_path), skip)
    copies, no_near = find_image_copies(scan, seed, lambda share: bar.add(share * SEARCHING))
    persons = [image.person for _, image in used]
    splits, val_from = _draw_splits(rows, join_persons(copies.groups(), persons), seed, listing)
    shared = persons_in_several(splits, persons)
    if shared:
        listing.warnings.append(
            f"{len(shared)} persons are in more than one split, the first: {shared[0]}. "
            "Without the split folders, set-up splits by person."
        )
    sizes = np.unique(scan.sizes, axis=0).tolist()
    description = {
        "class_names": list(listing.class_names),
        "image_size": sizes[0] if len(sizes) == 1 else None,
        "channels": 1 if scan.gray.all() else 3,
        "seed": seed,
        "dataset": dataset,
        "source": listing.source_path.as_posix(),
        "source_state": None if listing.unpacked_from else state_of(listing.root),
        "in_place": True,
        "taken": [listing.form],
        "val_from": val_from,
        "skipped_labels": dict(sorted(listing.skipped.items())),
        "skipped_rows": len(errors),
        "splits": count_splits(rows, splits, listing.class_names),
        "copies": count_copies(rows, splits, copies),
        "near_copies": no_near,
        "votes": any(image.votes for _, image in used),
    }
    warnings = [
        *listing.warnings,
        *listing.passed_over.warnings(),
        *untrained_classes(rows.labels, splits, listing.class_names),
    ]
    facts = {"rows": len(rows), "ignored": [], "warnings": warnings, "skipped": errors[:SHOWN]}
    facts["persons"] = len(set(persons) - {""})
    facts["unpacked"] = listing.unpacked_to
    return _table(listing, used, rows, splits, val_from, copies), description, facts


def _scan(
    listing: Listing, bar: ProgressBar
) -> tuple[Scan, list[tuple[int, ListedImage]], list[str]]:
    """Scans the images with a class.

    Returns:
        The scan of the readable ones, their numbers and entries in the listing, and one line of
        text for each file with a problem.
    """
    used = [
        (number, image) for number, image in enumerate(listing.images) if image.name is not None
    ]
    paths = [str(listing.root / image.path) for _, image in used]
    boxes = [image.box for _, image in used]
    scan = scan_images(
        paths, len(paths) <= MOST, lambda share: bar.add(share * SCANNING), boxes=boxes
    )
    errors = listing.bad_rows() + [fault for fault in scan.faults if fault]
    good = [index for index, fault in enumerate(scan.faults) if not fault]
    return scan.select(good), [used[index] for index in good], errors


def _rows(
    listing: Listing, used: list[tuple[int, ListedImage]], scan: Scan, errors: list[str]
) -> Rows:
    """Returns the rows, with thumbnails, if any, as images."""
    labels = {name: index for index, name in enumerate(listing.class_names)}
    return Rows(
        scan.thumbnails,
        np.array([labels[str(image.name)] for _, image in used], int),
        np.array([image.split for _, image in used], dtype="<U10"),
        np.array([listing.source] * len(used), dtype=object),
        np.array([number for number, _ in used], int),
        errors=errors,
    )


def _draw_splits(
    rows: Rows, groups: np.ndarray, seed: int, listing: Listing
) -> tuple[np.ndarray, str]:
    """Returns the split of each row, and the origin of val; images of one group stay together.

    The origin is "source", "train", or "all" if test is drawn, too.
    """
    splits = rows.splits.copy()
    draws = [("val", "train", PARTS)]
    if (splits == "").all():
        splits[:] = "train"
        # An eighth of all is a seventh of the rest.
        draws = [("test", "all", PARTS), ("val", "all", PARTS - 1)]
    elif (splits == "val").any() or not (splits == "train").any():
        return splits, "source"
    for name, _, parts in draws:
        train = np.flatnonzero(splits == "train")
        chosen = train[choose_val(rows.labels[train], groups[train], seed, parts)]
        splits[chosen] = name
        if len(chosen) < round(len(train) / parts) / 2:
            listing.warnings.append(
                f"{name} has {len(chosen)} images, far fewer than an eighth: groups of duplicates "
                "stay together. Put images into folders train, val and test to split them yourself."
            )
    return splits, draws[0][1]


def _table(
    listing: Listing,
    used: list[tuple[int, ListedImage]],
    rows: Rows,
    splits: np.ndarray,
    val_from: str,
    copies: Copies,
) -> str:
    source_rows = rows.source_rows.tolist()
    # Images in the dataset's folder move with it.
    base = Path(listing.unpacked_to) if listing.unpacked_to else listing.root
    columns = [
        [(base / image.path).as_posix() for _, image in used],
        rows.labels.tolist(),
        splits.tolist(),
        rows.sources.tolist(),
        source_rows,
        *copies.columns(splits, source_rows, val_from),
    ]
    extra = {"source_label": [image.source_label for _, image in used]}
    if any(image.votes for _, image in used):
        extra["votes"] = [image.votes for _, image in used]
    if any(image.box for _, image in used):
        extra["box"] = [box_text(image.box) for _, image in used]
    return manifest_text(zip(*columns, *extra.values(), strict=True), tuple(extra))
