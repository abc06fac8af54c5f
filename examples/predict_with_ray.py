"""Predicts the expressions in a folder or bucket of many photos with Ray Data, into Parquet files.

Ray distributes the photos over workers, on one machine or on a cluster. Each worker is an actor
that loads the model once. ``docs/scale.md`` describes the result and its limits.
"""

import argparse
import contextlib
import dataclasses
import math
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ferkit import Expression, Recognizer
from ferkit.errors import UserError, first_line
from ferkit.files import folder_written_atomically
from ferkit.recognition.photos import SUFFIXES, PhotoError, read_photo

INSTALL = 'pip install "ray[data]>=2.60,<3"'
PHOTOS_PER_BATCH = 16  # photos that a worker has in memory at the same time
PHOTOS_PER_FILE = 2000  # at most, for each Parquet file
RETRIES = 3  # of a worker's task, about one Parquet file, after a crash
BOX = ("left", "top", "right", "bottom")
OK, NO_FACE, UNREADABLE = "ok", "no_face", "unreadable"
DONE = "_SUCCESS"  # the last file that is written to a bucket
EXAMPLES = """\
examples:
  python examples/predict_with_ray.py holiday faces.parquet
      all photos of the folder and its subfolders, one worker for each core
  python examples/predict_with_ray.py holiday try.parquet --limit 100 --workers 2
      the first hundred photos
  RAY_ADDRESS=auto python examples/predict_with_ray.py s3://bucket/photos s3://bucket/faces
      on the cluster that this machine is part of

then, in Python:
  import pandas
  faces = pandas.read_parquet("faces.parquet")
  print(faces[["path", "face", "label", "confidence", "status", "error"]])

Exit code 0: all photos were read; 1: some could not be read, the others are done; 2: an error that
stopped the command.
"""


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder of a disk or bucket.

    Attributes:
        name: as the user gave it.
        filesystem: a ``pyarrow.fs.FileSystem``.
        path: the folder in that file system.
    """

    name: str
    filesystem: Any
    path: str


class Worker:
    """An actor of Ray: loads the model once and predicts batches of photos.

    Args:
        folder: the folder of the photos.
        weights: see ``Recognizer``.
    """

    def __init__(self, folder: Place, weights: str) -> None:
        import cv2  # late: this runs in the worker's process

        cv2.setNumThreads(1)  # Ray counts on one core for each worker
        self.folder = folder
        self.recognizer = Recognizer(weights)
        self.threads = ThreadPoolExecutor(PHOTOS_PER_BATCH)

    def __call__(self, batch: dict[str, np.ndarray]) -> Any:
        """The rows of a batch as a ``pyarrow.Table``.

        Args:
            batch: "path" -> paths of photos, relative to the folder.
        """
        import pyarrow as pa

        names = [str(name) for name in batch["path"]]
        photos = list(self.threads.map(self._photo, names))
        readable = [photo for photo in photos if isinstance(photo, np.ndarray)]
        predictions = iter(self.recognizer.predict_many(readable))
        rows: list[dict[str, Any]] = []
        for name, photo in zip(names, photos, strict=True):
            path = f"{self.folder.name.rstrip('/')}/{name}"
            if isinstance(photo, str):
                rows.append({"path": path, "status": UNREADABLE, "error": photo})
                continue
            faces = next(predictions)
            rows += [face_row(path, number, face) for number, face in enumerate(faces, start=1)]
            if not faces:
                rows.append({"path": path, "status": NO_FACE})
        return pa.Table.from_pylist(rows, schema=schema(self.recognizer.class_names))

    def _photo(self, name: str) -> np.ndarray | str:
        """The pixels of a photo, or why it cannot be read."""
        try:
            with self.folder.filesystem.open_input_file(f"{self.folder.path}/{name}") as file:
                content = file.read()
            return read_photo(content)
        except PhotoError as error:
            return error.problem
        except OSError as error:
            return f"cannot be read ({first_line(error)})"


def schema(class_names: Sequence[str]) -> Any:
    """The ``pyarrow.Schema`` of all files: given, as a file may have no face to infer it from."""
    import pyarrow as pa

    fields = {"path": pa.string(), "face": pa.int32(), "label": pa.string()}
    numbers = ["confidence", *(f"probability_{name}" for name in class_names), *BOX, "score"]
    fields |= dict.fromkeys(numbers, pa.float32())
    return pa.schema(fields | {"status": pa.string(), "error": pa.string()})


def face_row(path: str, number: int, face: Expression) -> dict[str, Any]:
    """The row of a face, with the columns of ``schema``."""
    probabilities = {f"probability_{name}": p for name, p in face.probabilities.items()}
    row = {"path": path, "face": number, "label": face.label, "confidence": face.confidence}
    box = dict(zip(BOX, face.box, strict=True))
    return {**row, **probabilities, **box, "score": face.score, "status": OK}


def place(name: str) -> Place:
    """The place that a path or URI names.

    Raises:
        UserError: not a URI that PyArrow knows.
    """
    from pyarrow import fs

    uri = name if "://" in name else str(Path(name).resolve())
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except (OSError, ValueError) as error:
        problem = f"not a URI that PyArrow can open ({first_line(error)})"
        raise UserError(name, problem, "give a folder, or s3://BUCKET/FOLDER") from error
    return Place(name, filesystem, path.rstrip("/"))


def found_photos(folder: Place, limit: int | None) -> list[str]:
    """The photos of a folder and its subfolders by suffix, sorted, as paths relative to it.

    Raises:
        UserError: the folder does not exist, or contains no photos.
    """
    from pyarrow import fs

    try:
        found = folder.filesystem.get_file_info(fs.FileSelector(folder.path, recursive=True))
    except OSError as error:
        raise UserError(folder.name, f"cannot be listed ({first_line(error)})") from error
    names = sorted(
        file.path[len(folder.path) + 1 :]
        for file in found
        if file.type != fs.FileType.Directory and file.path.lower().endswith(SUFFIXES)
    )
    if not names:
        problem = "no photo in this folder or its subfolders"
        raise UserError(folder.name, problem, f"known suffixes: {', '.join(SUFFIXES)}")
    return names[:limit]


@contextlib.contextmanager
def complete_or_absent(output: Place) -> Iterator[Place]:
    """Yields the folder to write to.

    On a disk it is a hidden folder, which gets its name if the block succeeds, else it is deleted.
    Buckets cannot rename folders: the file ``_SUCCESS`` is written last.

    Raises:
        UserError: the output exists.
    """
    from pyarrow import fs

    selector = fs.FileSelector(output.path, allow_not_found=True)
    is_file = output.filesystem.get_file_info(output.path).type == fs.FileType.File
    if is_file or output.filesystem.get_file_info(selector):
        raise UserError(output.name, "exists already", "delete it, or give another name")
    if "://" not in output.name:
        with folder_written_atomically(output.path) as draft:
            yield dataclasses.replace(output, name=str(draft), path=str(draft))
        return
    yield output
    with output.filesystem.open_output_stream(f"{output.path}/{DONE}"):
        pass


def predict(names: Sequence[str], folder: Place, output: Place, weights: str, workers: int) -> None:
    """Predict photos in Ray and write their rows.

    Args:
        names: photos, relative to `folder`.
        folder: the folder of the photos.
        output: an empty folder for the Parquet files.
        weights: see ``Recognizer``.
        workers: number of actors.

    Raises:
        UserError: a worker failed, or the output cannot be written.
    """
    import pyarrow as pa
    import ray

    size = min(PHOTOS_PER_FILE, math.ceil(len(names) / workers))
    starts = range(0, len(names), size)
    photos = ray.data.from_arrow([pa.table({"path": names[i : i + size]}) for i in starts])
    rows = photos.map_batches(
        Worker,
        fn_constructor_kwargs={"folder": folder, "weights": weights},
        batch_size=PHOTOS_PER_BATCH,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        max_task_retries=RETRIES,  # Ray's own default has no end
    )
    # The workers occupy all cores, so writing must not wait for a free one.
    try:
        rows.write_parquet(output.name, ray_remote_args={"num_cpus": 0})
    except ray.exceptions.RayError as error:
        problem = f"the job failed ({cause(error)})"
        raise UserError("ray", problem, "see its messages above") from error


def cause(error: Exception) -> str:
    """The first exception in the text of an error of Ray, which contains the worker's traces."""
    found = re.search(r"^[\w.]+(?:Error|Exception): .*", str(error), re.MULTILINE)
    return found[0].rstrip(".") if found else first_line(error)


def summary(output: Place, photos: int) -> tuple[str, int]:
    """What was written, in a line, and the number of unreadable photos.

    Raises:
        UserError: the files do not have each photo once.
    """
    import pyarrow.compute as pc
    from pyarrow import dataset

    columns = dataset.dataset(output.path, filesystem=output.filesystem, format="parquet").to_table(
        columns=["face", "status"]
    )
    count = dict.fromkeys((OK, NO_FACE, UNREADABLE), 0)
    for pair in pc.value_counts(columns["status"]).to_pylist():
        count[pair["values"]] = pair["counts"]
    # The first face stands for its photo.
    written = columns["face"].null_count + pc.sum(pc.equal(columns["face"], 1), min_count=0).as_py()
    if written != photos:
        problem = f"{written:,} photos were written, of {photos:,}"
        raise UserError(output.name, problem, "all machines must write to the same disk or bucket")
    parts = f"{count[OK]:,} faces, {count[NO_FACE]:,} photos without a face"
    return f"{photos:,} photos: {parts}, {count[UNREADABLE]:,} unreadable", count[UNREADABLE]


def run(options: argparse.Namespace) -> int:
    """Predict and write; returns 1 if a photo could not be read, else 0.

    Raises:
        UserError: Ray is missing, or an input, the weights or the output cannot be used.
    """
    try:
        import pyarrow  # noqa: F401 - a dependency of ray[data], not of ray
        import ray.data
    except ImportError as error:
        raise UserError("ray[data]", "not installed", f"install it with: {INSTALL}") from error
    folder, output = place(options.photos), place(options.output)
    Recognizer(options.weights)  # fails here, in one line, rather than in every worker
    file = Path(options.weights)
    weights = str(file.resolve()) if file.is_file() else options.weights
    names = found_photos(folder, options.limit)
    with complete_or_absent(output) as draft:
        ray.init(logging_level="WARNING", log_to_driver=False)
        try:
            cores = int(ray.cluster_resources().get("CPU", 1))
            workers = min(options.workers or cores, cores, len(names))
            predict(names, folder, draft, weights, workers)
        finally:
            ray.shutdown()
        line, unreadable = summary(draft, len(names))
    print(f"{line}. Workers: {workers}. Written: {output.name}")
    return 1 if unreadable else 0


def positive(text: str) -> int:
    """A whole number above 0.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, received {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("photos", help="folder or URI of the photos, with subfolders")
    parser.add_argument("output", help="new folder or URI for the Parquet files")
    parser.add_argument(
        "--weights",
        default="deep_emotion-fer2013",
        metavar="NAME|FILE",
        help="shipped weights, or a .keras, .tflite or .onnx file (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="number of workers (default: one per core)"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N photos")
    options = parser.parse_args(arguments)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # turns off usage reports
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    try:
        return run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
