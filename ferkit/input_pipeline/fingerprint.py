"""What identifies a dataset, so that a run is resumed only on the data it was started on."""

import hashlib
from typing import Any

from generate_data.manifest import Manifest


def fingerprint_of(manifest: Manifest) -> dict[str, Any]:
    """Identifies a dataset by its rows, their labels and their splits.

    Not by the location of its images or by duplicates, which a newer set-up may write differently.
    """
    columns = manifest.table[["split", "label", "source", "source_row"]]
    digest = hashlib.sha256(columns.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    rows = {
        str(split): int(count) for split, count in manifest.table["split"].value_counts().items()
    }
    return {
        "folder": str(manifest.folder),
        "rows_sha256": digest,
        "rows": rows,
        "classes": list(manifest.class_names),
    }


def describe_fingerprint(fingerprint: dict[str, Any]) -> str:
    """Number of rows in each split and number of classes, for messages."""
    rows = ", ".join(f"{count:,} {split}" for split, count in fingerprint["rows"].items())
    classes = fingerprint.get("classes")
    return f"{rows} rows" + (f" of {len(classes)} classes" if classes else "")
