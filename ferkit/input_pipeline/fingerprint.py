"""What identifies a dataset, so that a run is resumed only on the data it was started on."""

import hashlib


def fingerprint_of(manifest):
    """What tells this dataset from another: which rows it has, with which labels, in which splits.

    Not where the images lie, nor what is marked as a copy: a newer set-up may write those differently.
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


def _in_words(fingerprint):
    rows = ", ".join(f"{count:,} {split}" for split, count in fingerprint["rows"].items())
    classes = fingerprint.get("classes")
    return f"{rows} rows" + (f" of {len(classes)} classes" if classes else "")
