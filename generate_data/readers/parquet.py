"""The reader of Hugging Face parquet files: unpacks their images into class folders.

A row has an image, its bytes and perhaps a path, and a label. The names of the labels are in the
metadata of the file, and map to our classes by name. The only module that needs pyarrow.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet

from generate_data.errors import DataError, foreign_format
from generate_data.labels import expression_of
from generate_data.readers.any_folders import name_classes
from generate_data.readers.listing import ListedImage, Listing
from generate_data.readers.parquet_files import split_of

ROWS = 64  # in memory at a time; a row may be a photo of some MB
_TYPES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"BM": ".bmp"}
_TYPES |= {b"II*\0": ".tif", b"MM\0*": ".tif"}
_OTHER_TYPE = ".png"  # what the decoder cannot read is reported with the name of the file


@dataclasses.dataclass(frozen=True)
class _Shard:
    """A parquet file.

    Args:
        path: the file.
        stem: for the names of its images.
        image: the column of the images: bytes, or a struct with these.
        label: the column of the labels: numbers or texts.
        names: the names of the labels, if they are numbers.
    """

    path: Path
    stem: str
    image: str
    label: str
    names: tuple[str, ...]


def unpack_parquet(
    files: list[Path],
    source: Path,
    work: Path,
    progress: Callable[[float], None] = lambda share: None,
) -> Listing:
    """Unpacks the images of parquet files, unchanged, into <work>/images/<split>/<class>/.

    If all files belong to train, the dataset has no splits yet.

    Args:
        files: the parquet files; see `find_parquet_files`.
        source: what the user gave.
        work: an existing folder for unfinished files.
        progress: called with the share of the work done since the last call.

    Raises:
        DataError: a file is damaged, or has other columns or no names of labels.
    """
    shards = [_open_shard(path, source) for path in files]
    splits = [split_of(path) for path in files]
    if set(splits) <= {"train", ""}:
        splits = [""] * len(files)
    form = f"{len(files)} parquet {'file' if len(files) == 1 else 'files'}"
    listing = Listing(work / "images", "parquet", form, unpacked_from=source)
    listing.root.mkdir()
    digest = hashlib.sha256()
    for shard, split in zip(shards, splits, strict=True):
        if not split and any(splits):
            kind = "parquet files are not read (their name gives no split, and that of others does)"
            listing.passed_over.add(kind, shard.path)
            continue
        for image, content in _images(listing, shard, split, progress, 1 / len(files)):
            target = listing.root / image.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            digest.update(f"{image.path}\0{len(content)}\0".encode() + content)
            listing.images.append(image)
    listing.unpacked_to = f"images-{digest.hexdigest()[:12]}"
    listing.images.sort(key=lambda image: image.path)
    name_classes(listing)
    return listing


def _open_shard(path: Path, source: Path) -> _Shard:
    with foreign_format(DataError, path, "not a parquet file, or cut short", "download it again"):
        schema = pyarrow.parquet.read_schema(path)
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = metadata.get("info", {}).get("features", {})
        image = _column(features, "Image", "image")
        label = _column(features, "ClassLabel", "label")
        names = tuple(map(str, features.get(label, {}).get("names", ())))
    lacking = [name for name in (image, label) if name not in schema.names]
    if lacking:
        problem = f"no column {' and no column '.join(lacking)}, only {', '.join(schema.names)}"
        raise DataError(path, problem, "give a dataset of images with one label each")
    if not names and not _is_text(schema.field(label).type):
        problem = f"column {label} has numbers, and the metadata has no names for them"
        raise DataError(path, problem, "give a dataset whose label is a ClassLabel")
    if any(name.strip().isdecimal() for name in names):
        problem = f"the names of its labels are numbers ({', '.join(names)[:60]})"
        raise DataError(path, problem, "give a dataset whose labels have the names of expressions")
    inside = path.relative_to(source) if path != source else Path(path.name)
    return _Shard(path, "-".join(inside.with_suffix("").parts), image, label, names)


def _column(features: dict, kind: str, usual: str) -> str:
    """Returns the usual name of a column, or that of the only column of a kind."""
    found = [name for name, about in features.items() if about.get("_type") == kind]
    return found[0] if len(found) == 1 and usual not in features else usual


def _is_text(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _images(
    listing: Listing, shard: _Shard, split: str, progress: Callable[[float], None], share: float
) -> Iterator[tuple[ListedImage, bytes]]:
    """Yields each image with a label and its bytes; the others are recorded in the listing."""
    for row, (image, label) in enumerate(_rows(shard, progress, share)):
        content = image.get("bytes") if isinstance(image, dict) else image
        name = _name(label, shard.names)
        where = f"{shard.path} row {row}"
        if label in (None, -1):
            listing.skipped["no label"] += 1
        elif name is None:
            listing.add_problem("rows whose label has no name", f"{where}: label {label!r}")
        elif not isinstance(content, bytes) or not content:
            listing.add_problem("rows without an image", where)
        else:
            endings = (end for start, end in _TYPES.items() if content.startswith(start))
            stem = f"{shard.stem}-{row:06d}{next(endings, _OTHER_TYPE)}"
            path = "/".join(part for part in (split, name, stem) if part)
            yield ListedImage(path, split, name, str(label)), content


def _rows(
    shard: _Shard, progress: Callable[[float], None], share: float
) -> Iterator[tuple[object, object]]:
    """Yields the image and the label of each row."""
    advice = "download it again"
    with foreign_format(DataError, shard.path, "damaged or cut short", advice):
        file = pyarrow.parquet.ParquetFile(shard.path)
        columns = [shard.image, shard.label]
        for batch in file.iter_batches(batch_size=ROWS, columns=columns):
            images = batch.column(shard.image).to_pylist()
            yield from zip(images, batch.column(shard.label).to_pylist(), strict=True)
            progress(share * batch.num_rows / file.metadata.num_rows)


def _name(label: object, names: tuple[str, ...]) -> str | None:
    """Returns the class name for a label, a number or a text; None if it has none."""
    if isinstance(label, str):
        text = label
    elif isinstance(label, int) and 0 <= label < len(names):
        text = names[label]
    else:
        return None
    text = text.strip().lower()
    return expression_of(text) or re.sub(r"[^\w -]", "_", text) or None
