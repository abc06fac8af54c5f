"""Compares exported files with Keras: size, time of one face, and accuracy on a validation split.

    python benchmarks/export_latency.py --weights dan-fer2013 -d data --save

Times are ratios to the direct Keras call, `model(face)`, in the same round. Each contestant runs in
its own process. "Keras, traced" is the same model as a tf.function, which this program uses.
"""

import argparse
import importlib.metadata
import os
import statistics
import tempfile
from pathlib import Path

import paired

from ferkit.export.formats import FORMATS

DIRECT, TRACED = "Keras, direct call", "Keras, traced"
EXPORTS, WEIGHTS = "EXPORT_LATENCY_FOLDER", "EXPORT_LATENCY_WEIGHTS"  # variables for the workers


def _model():
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    from ferkit.models.saved_model import load_model
    from ferkit.models.shipped_weights import model_file

    path = model_file(os.environ[WEIGHTS])
    return load_model(path), path


def _face(model):
    from ferkit.export.agreement import drawn_faces
    from ferkit.input_pipeline.fit_images import resize_to_input

    return resize_to_input(drawn_faces()[3:4], model.input_shape[1:]).numpy()


def _direct():
    model, _ = _model()
    face = _face(model)
    return lambda: model(face, training=False).numpy()


def _traced():
    from ferkit.evaluation.inference import BatchedLogits

    model, _ = _model()
    function, face = BatchedLogits(model, model.input_shape[1:]), _face(model).astype("uint8")
    return lambda: function(face)


def _exported(name):
    def prepare():
        model, _ = _model()
        run, face = (
            FORMATS[name].implementation().load(Path(os.environ[EXPORTS]) / name),
            _face(model),
        )
        return lambda: run(face)

    return prepare


CONTESTANTS = {DIRECT: _direct, TRACED: _traced, **{name: _exported(name) for name in FORMATS}}


def main():
    """Export all formats, then measure them in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--weights", default="deep_emotion-fer2013", help="default: deep_emotion-fer2013"
    )
    parser.add_argument(
        "-d", "--data", default=None, metavar="DIR", help="a dataset to measure the accuracy on"
    )
    parser.add_argument(
        "--rounds", type=int, default=15, help="turns of each contestant (default: 15)"
    )
    parser.add_argument("--repeats", type=int, default=30, help="faces in a turn (default: 30)")
    parser.add_argument(
        "--save", action="store_true", help="write the result to benchmarks/results/"
    )
    parser.add_argument("--worker", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return paired.work(CONTESTANTS, options.worker)
    os.environ[WEIGHTS] = options.weights
    with tempfile.TemporaryDirectory() as folder:
        os.environ[EXPORTS] = folder
        facts = _facts(Path(folder), options.data)
        seconds = _seconds(options)
    rows = [_row(name, facts, seconds) for name in CONTESTANTS if name in seconds]
    about = (
        f"Export of {options.weights}; one face, {options.rounds} rounds of {options.repeats}, "
        f"medians of ratios within a round; {len(os.sched_getaffinity(0))} core(s) used; "
        f"{paired.machine()}; {paired.versions()}, {_runtimes()}"
    )
    print(about)
    for row in rows:
        print("  " + "; ".join(f"{key} {value}" for key, value in row.items()))
    if options.save:
        paired._save(f"Export {options.weights}", about, rows)
    return 0


def _facts(folder, data):
    """Name -> (bytes, accuracy or None), of every format and of the .keras file."""
    model, path = _model()
    from ferkit.evaluation.inputs import load_fitting_split  # late: TensorFlow
    from ferkit.export.export import export_model
    from generate_data import read_manifest

    split = load_fitting_split(model, read_manifest(data), "val") if data else None
    facts = {}
    for name in FORMATS:
        exported = export_model(model, path, FORMATS[name], folder / name, split)
        measured = exported.measured
        facts[name] = exported.bytes, measured and measured.accuracy
        keras_facts = path.stat().st_size, measured and measured.accuracy_keras
        facts[DIRECT] = facts[TRACED] = keras_facts
    return facts


def _seconds(options):
    """Name -> seconds of a face, round by round."""
    workers = [
        worker
        for worker in (paired.Worker(__file__, name) for name in CONTESTANTS)
        if worker.ready()
    ]
    for _ in range(options.rounds):
        for worker in workers:
            worker.turn(options.repeats)
    for worker in workers:
        worker.stop()
    return {worker.name: worker.seconds for worker in workers}


def _row(name, facts, seconds):
    ratios = [time / direct for time, direct in zip(seconds[name], seconds[DIRECT], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    size, accuracy = facts[name]
    return {
        "contestant": name,
        "bytes": size,
        "time_to_direct_call": f"{middle:.4f} (quartiles {low:.4f} to {high:.4f})",
        "milliseconds_here": f"{1000 * statistics.median(seconds[name]):.2f}",
        "val_accuracy": "" if accuracy is None else f"{accuracy:.4f}",
    }


def _runtimes():
    return ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("ai-edge-litert", "onnxruntime", "tf2onnx")
    )


if __name__ == "__main__":
    main()
