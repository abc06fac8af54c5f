"""Results as a DataFrame: the columns of `predict --csv`."""

import subprocess
import sys

import numpy as np
import pandas
import pytest

import ferkit
from ferkit.errors import UserError
from ferkit.prediction.rows import RowWriter, empty_row, face_row
from ferkit.recognition.results import Expression, Faces

NAMES = ("bright", "dark")
FACE = Expression("dark", {"bright": 0.25, "dark": 0.75}, (1.0, 2.0, 11.0, 12.0), 0.9)


def faces(*found, source="a.jpg"):
    return Faces(found, source, NAMES)


def frame(number, *found):
    image = np.zeros((4, 4, 3), np.uint8)
    return ferkit.StreamFrame("film.mp4", number, number / 25, image, faces(*found))


def test_the_table_is_that_of_the_csv_file(tmp_path):
    error = ferkit.PhotoError("b.jpg", "no such file")
    results = [faces(FACE, FACE), faces(source="none.jpg"), error, frame(3)]
    with RowWriter(tmp_path / "rows.csv", None, NAMES) as writer:
        writer.write(face_row("a.jpg", FACE, face=1))
        writer.write(face_row("a.jpg", FACE, face=2))
        writer.write(empty_row("none.jpg", "no_face"))
        writer.write(empty_row("b.jpg", "unreadable"))
        writer.write(empty_row("film.mp4", "no_face", 3, 0.12))
    table = ferkit.to_dataframe(iter(results))
    written = pandas.read_csv(tmp_path / "rows.csv").astype(table.dtypes.to_dict())
    pandas.testing.assert_frame_equal(table, written)
    assert table["face"].dtype == "Int64"
    assert table["dark"].tolist()[:2] == [0.75, 0.75]


def test_one_photo_one_frame_and_a_plain_list():
    for one in (faces(FACE), [FACE], [faces(FACE)]):
        table = ferkit.to_dataframe(one)
        assert len(table) == 1
        assert table.loc[0, ["face", "left", "label", "status"]].tolist() == [1, 1.0, "dark", "ok"]
    assert faces(FACE).to_dataframe().equals(ferkit.to_dataframe(faces(FACE)))
    assert ferkit.to_dataframe(frame(2)).loc[0, "frame"] == 2


def test_photos_without_a_path_have_their_position():
    table = ferkit.to_dataframe([faces(FACE, source=""), [FACE]])
    assert table["source"].tolist() == ["photo 0", "photo 1"]


def test_a_tracked_face_has_its_number():
    tracked = Expression(FACE.label, FACE.probabilities, FACE.box, FACE.score, track=7)
    assert ferkit.to_dataframe([frame(0, tracked)]).loc[0, "face"] == 7


def test_no_results_are_an_empty_table():
    assert list(ferkit.to_dataframe([]).columns) == [
        *("source", "frame", "time", "face", "left", "top", "right", "bottom"),
        *("score", "label", "status"),
    ]
    table = ferkit.to_dataframe([faces()])
    assert table["status"].tolist() == ["no_face"]
    assert {"bright", "dark"} <= set(table.columns)


@pytest.mark.parametrize("results", [3, None, "photo.jpg", [3], ["photo.jpg"], [[FACE, 3]]])
def test_other_objects_are_one_line(results):
    with pytest.raises(UserError, match="to_dataframe: expected faces, frames or PhotoError"):
        ferkit.to_dataframe(results)


def test_without_pandas_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError) as raised:
        faces(FACE).to_dataframe()
    assert str(raised.value) == (
        "to_dataframe: needs pandas, which is not installed; "
        'install with: pip install "deep-emotion-keras[train]".'
    )


PROGRAM = """
import sys
import ferkit
assert not {"numpy", "cv2", "PIL", "pandas"} & set(sys.modules), "import ferkit is not lazy"
assert set(ferkit.__all__) <= set(dir(ferkit))
for name in ferkit.__all__:
    public = getattr(ferkit, name)
    assert "Example:" in public.__doc__, name
assert "pandas" not in sys.modules
assert not {"tensorflow", "matplotlib"} & set(sys.modules)
try:
    ferkit.gone
except AttributeError as error:
    print(error)
"""


def test_public_names_are_lazy_and_have_examples():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == "module 'ferkit' has no attribute 'gone'\n", done.stderr
