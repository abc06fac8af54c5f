"""The example for Ray Data: its errors take one line, and its rows are those of the recognizer."""

import importlib.util
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from ferkit import Recognizer

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "examples" / "predict_with_ray.py"
NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason='not installed: pip install ".[slow-tests]"',
)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("predict_with_ray", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with photos of one face, of two faces and of none, and with unreadable files."""
    folder = tmp_path_factory.mktemp("scale") / "photos"
    (folder / "deeper").mkdir(parents=True)
    astronaut = Image.fromarray(data.astronaut())
    astronaut.save(folder / "one.jpg")
    astronaut.rotate(10).save(folder / "deeper" / "turned.PNG")
    Image.fromarray(np.hstack([data.astronaut()] * 2)).save(folder / "two.png")
    Image.new("RGB", (200, 200), (90, 120, 150)).save(folder / "plain.png")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes((folder / "one.jpg").read_bytes()[:5000])
    (folder / "notes.txt").write_text("no photo")
    return folder


def ray_script(*arguments):
    """Run the script on a new local Ray; returns the finished process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": "local"}
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=500,
        env=environment,
    )


class UnusedRay(types.ModuleType):
    """Ray with one core that only starts and stops."""

    def __init__(self):
        super().__init__("ray")
        self.data = types.ModuleType("ray.data")

    def init(self, **options):
        pass

    def cluster_resources(self):
        return {"CPU": 1.0}

    def shutdown(self):
        pass


def test_help_has_worked_examples(script, capsys):
    with pytest.raises(SystemExit) as end:
        script.main(["--help"])
    assert end.value.code == 0
    assert "predict_with_ray.py holiday faces.parquet" in capsys.readouterr().out


def test_without_ray_one_line_says_what_to_install(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    assert script.main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        'error: ray[data]: not installed; install it with: pip install "ray[data]>=2.60,<3".'
    ]


def test_the_extra_has_the_range_that_the_script_names(script):
    assert script.INSTALL.removeprefix("pip install ") in (ROOT / "pyproject.toml").read_text()


def test_the_cause_of_a_failed_job_is_the_first_exception(script):
    trace = "ray::MapWorker\n  File x\nferkit.errors.UserError: x.tflite: no such file.\n\nray::Map"
    trace += "\nray.exceptions.UserCodeException: UDF failed.\nTo change attempts, configure Ray"
    failed = RuntimeError(trace)
    assert script.cause(failed) == "ferkit.errors.UserError: x.tflite: no such file"
    assert script.cause(RuntimeError("The actor died.\nIt is gone.")) == "The actor died."


@NEEDS_RAY
@pytest.mark.slow
def test_rows_are_those_of_the_recognizer(photos, tmp_path):
    from pyarrow import dataset

    output = tmp_path / "faces.parquet"
    finished = ray_script(photos, output, "--workers", "2")
    assert finished.returncode == 1, finished.stderr
    expected_line = "6 photos: 4 faces, 1 photos without a face, 2 unreadable. Workers: 2."
    assert expected_line in finished.stdout
    rows = dataset.dataset(output).to_table().to_pylist()
    by_name = {(row["path"].removeprefix(f"{photos}/"), row["face"]): row for row in rows}
    assert len(by_name) == len(rows) == 7
    assert by_name["plain.png", None]["status"] == "no_face"
    assert by_name["empty.jpg", None]["error"] == "empty, 0 bytes"
    assert by_name["cut.jpg", None]["error"].startswith("damaged")
    assert by_name["cut.jpg", None]["status"] == "unreadable"
    recognizer = Recognizer()
    for name in ("one.jpg", "deeper/turned.PNG", "two.png"):
        for number, face in enumerate(recognizer.predict(photos / name), start=1):
            row = by_name[name, number]
            assert (row["label"], row["status"], row["error"]) == (face.label, "ok", None)
            assert row["confidence"] == pytest.approx(face.confidence, abs=1e-4)
            assert row["score"] == pytest.approx(face.score, abs=1e-4)
            box = [row[edge] for edge in ("left", "top", "right", "bottom")]
            assert box == pytest.approx(face.box, abs=0.1)
            for label, probability in face.probabilities.items():
                assert row[f"probability_{label}"] == pytest.approx(probability, abs=1e-4)


@NEEDS_RAY
@pytest.mark.slow
def test_a_bucket_gets_its_last_file_when_all_are_written(photos, tmp_path):
    output = tmp_path / "bucket"
    finished = ray_script(photos, output.as_uri(), "--limit", "1", "--workers", "1")
    assert finished.returncode == 1, finished.stderr  # cut.jpg comes first
    assert sorted(path.suffix for path in output.iterdir()) == ["", ".parquet"]
    assert (output / "_SUCCESS").stat().st_size == 0


@NEEDS_RAY
@pytest.mark.parametrize("as_uri", [False, True])
def test_an_existing_output_is_refused(script, photos, tmp_path, monkeypatch, capsys, as_uri):
    monkeypatch.setattr(script, "Recognizer", lambda weights: None)
    (tmp_path / "result.parquet").touch()
    name = tmp_path.as_uri() if as_uri else str(tmp_path)
    assert script.main([str(photos), name]) == 2
    line = f"error: {name}: exists already; delete it, or give another name.\n"
    assert capsys.readouterr().err == line
    assert [path.name for path in tmp_path.iterdir()] == ["result.parquet"]


@NEEDS_RAY
def test_a_failed_job_leaves_no_output(script, photos, tmp_path, monkeypatch):
    def half_done(names, folder, output, weights, workers):
        (Path(output.path) / "part.parquet").touch()
        raise script.UserError("ray", "the job failed")

    monkeypatch.setattr(script, "Recognizer", lambda weights: None)
    monkeypatch.setattr(script, "predict", half_done)
    monkeypatch.setitem(sys.modules, "ray", UnusedRay())
    monkeypatch.setitem(sys.modules, "ray.data", sys.modules["ray"].data)
    assert script.main([str(photos), str(tmp_path / "faces.parquet")]) == 2
    assert list(tmp_path.iterdir()) == []


@NEEDS_RAY
def test_missing_photos_are_noticed(script, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"face": 1, "status": "ok"}, {"face": 2, "status": "ok"}, {"status": "no_face"}]
    table = pa.Table.from_pylist(rows, schema=script.schema(["happy"]))
    parquet.write_table(table, tmp_path / "part.parquet")
    place = script.place(str(tmp_path))
    line = "2 photos: 2 faces, 1 photos without a face, 0 unreadable"
    assert script.summary(place, 2) == (line, 0)
    with pytest.raises(script.UserError, match="2 photos were written, of 3"):
        script.summary(place, 3)
