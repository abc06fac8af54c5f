"""Adds the record of the training images to released weights of versions that had none.

    python benchmarks/accuracy/record_training.py data dan_tf/weights/dan-fer2013.keras ...

DATA is the dataset that the weights were trained and measured on. NAME.keras and NAME.tflite get
the record, NAME.json and NAME.md what follows from it: checksum, sizes, and how many of the
measured images the weights have learned. A file that has a record already is left as it is.
"""

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("files", nargs="+", type=Path, metavar="NAME.keras")
    options = parser.parse_args(words)
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    from ferkit.input_pipeline.dataset import load_split
    from ferkit.input_pipeline.fingerprint import fingerprint_of
    from ferkit.input_pipeline.learned import image_hashes
    from ferkit.models.trained_on import TrainedOn, read_trained_on
    from generate_data.manifest import read_manifest

    manifest = read_manifest(options.data)
    train = load_split(options.data, "train", manifest)
    entry = {
        "dataset": train.dataset,
        "split": "train",
        "images": len(train),
        "rows_sha256": fingerprint_of(manifest)["rows_sha256"],
    }
    record = TrainedOn((entry,), np.unique(image_hashes(train.images)), complete=True)
    for file in options.files:
        if read_trained_on(file).datasets:
            print(f"{file}: has a record already")
            continue
        figures = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        expected = figures["data"]["rows"]["train"]
        if expected != len(train) or figures["data"]["dataset"] != train.dataset:
            raise SystemExit(f"{file}: was trained on {expected:,} images, not on this dataset")
        add_record(file, figures, record, manifest)
        print(f"{file}: {record.describe()}")


def add_record(file, figures, record, manifest) -> None:
    """Write the record and what follows from it."""
    from ferkit.files import write_json, written_atomically
    from ferkit.input_pipeline.dataset import load_split
    from ferkit.input_pipeline.learned import learned_counts, unexpectedly_learned, with_learned
    from ferkit.models.trained_on import write_trained_on
    from ferkit.release.model_card import model_card
    from ferkit.release.release import trained_on_dataset

    split = with_learned(load_split(manifest.folder, figures["split"], manifest), record)
    new = ~unexpectedly_learned(split)
    counts = {
        **learned_counts(split),
        "comparable_with_literature": bool(split.published and new.all()),
    }
    for view in ("plain", "flip"):
        figures[view] |= counts
    figures["trained_on"] = trained_on_dataset(record, manifest)
    figures.setdefault("calibration_images", len(split))
    compiled = figures.get("compiled")
    for path in [file, *([file.with_name(compiled["file"])] if compiled else [])]:
        with written_atomically(path) as draft:
            shutil.copyfile(path, draft)
            write_trained_on(draft, record)
    figures["bytes"] = file.stat().st_size
    if compiled:
        content = file.with_name(compiled["file"]).read_bytes()
        compiled |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    write_json(file.with_suffix(".json"), figures)
    with written_atomically(file.with_suffix(".md")) as card:
        card.write_text(model_card(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
