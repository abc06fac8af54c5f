"""A user's own detector: by registration in Python, and by an entry point of a package."""

import importlib.metadata
import sys
import types

import numpy as np
import pytest

from ferkit.cli import main
from ferkit.errors import UserError
from ferkit.recognition import Face, detectors, make_detector, register_detector
from ferkit.recognition.detector_plugins import ENTRY_POINTS
from tests.support.command_line import fails

PHOTO = np.zeros((40, 50, 3), np.uint8)
MARKS = np.arange(10.0).reshape(5, 2)


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(detectors, "_registered", {})


@pytest.fixture
def installed(monkeypatch):
    """A function that "installs" entry points: (name, value) pairs."""

    def install(*pairs):
        points = importlib.metadata.EntryPoints(
            importlib.metadata.EntryPoint(name, value, ENTRY_POINTS) for name, value in pairs
        )
        monkeypatch.setattr(importlib.metadata, "entry_points", points.select)

    module = types.ModuleType("plugin_of_a_test")
    module.Lower = Lower
    module.number = 3
    monkeypatch.setitem(sys.modules, "plugin_of_a_test", module)
    return install


class Lower:
    """Takes the lower half for a face, and the upper half for a worse one."""

    def __init__(self, model):
        self.model = model

    def __call__(self, photo):
        height, width = photo.shape[:2]
        return [
            Face((0, 0, width, height / 2), 0.5),
            Face((0, height / 2, width, height), 0.75, MARKS),
        ]


def returning(result):
    register_detector("mine", lambda model: lambda photo: result)
    return make_detector("mine")


def test_one_registered_in_python_is_made_with_its_model_and_its_faces_are_sorted():
    made = []
    register_detector("mine", lambda model: made.append(model) or Lower(model))
    detector = make_detector("mine", "own.bin")
    better, worse = detector(PHOTO)
    assert made == ["own.bin"]
    assert detector.name == "mine"
    assert (better.box, better.score) == ((0, 20, 50, 40), 0.75)
    np.testing.assert_array_equal(better.landmarks, MARKS)
    assert worse.landmarks is None


def test_an_entry_point_is_used_after_those_registered(installed):
    installed(("halves", "plugin_of_a_test:Lower"))
    assert len(make_detector("halves")(PHOTO)) == 2
    register_detector("halves", lambda model: lambda photo: [])
    assert make_detector("halves")(PHOTO) == []


def test_the_entry_point_of_an_installed_package_is_found(tmp_path, monkeypatch):
    (tmp_path / "halves_of_photos.py").write_text(
        "from ferkit.recognition import Face\n"
        "def make(model):\n"
        "    return lambda photo: [Face((0, 0, photo.shape[1], photo.shape[0] / 2), 0.5)]\n"
    )
    package = tmp_path / "halves_of_photos-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: halves-of-photos\nVersion: 1.0\n"
    )
    (package / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\nhalves = halves_of_photos:make\n")
    monkeypatch.syspath_prepend(tmp_path)
    (face,) = make_detector("halves")(PHOTO)
    assert face.box == (0, 0, 50, 20)


def test_built_in_names_look_for_no_entry_point(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "entry_points", None)
    assert make_detector("none")(PHOTO)
    register_detector("mine", lambda model: Lower(model))
    assert make_detector("mine")(PHOTO)


def test_an_unknown_name_lists_the_known_ones(installed):
    installed(("halves", "plugin_of_a_test:Lower"))
    register_detector("mine", Lower)
    with pytest.raises(UserError) as caught:
        make_detector("halve")
    assert str(caught.value) == (
        "--detector halve: unknown, nearest known: halves; choose from auto, yunet, none, mine, halves."
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            "package_that_is_missing:Lower",
            "package_that_is_missing:Lower cannot be imported (Module",
        ),
        ("plugin_of_a_test:Upper", "plugin_of_a_test:Upper cannot be imported (AttributeError: "),
        ("plugin_of_a_test:number", "cannot be called (it is of type int); name a function"),
    ],
)
def test_a_wrong_entry_point_is_one_line(installed, value, problem):
    installed(("halves", value))
    with pytest.raises(UserError) as caught:
        make_detector("halves")
    assert str(caught.value).startswith("--detector halves: ")
    assert problem in str(caught.value)


def test_a_name_from_two_packages_is_ambiguous(installed):
    installed(("halves", "plugin_of_a_test:Lower"), ("halves", "other:Lower"))
    with pytest.raises(UserError, match="provided more than once: other:Lower, plugin_of_a_test"):
        make_detector("halves")


def test_wrong_registrations_are_one_line():
    for name in detectors.DETECTORS:
        with pytest.raises(UserError, match=f"detector {name}: is built in; register it with"):
            register_detector(name, Lower)
    for name in ("", " mine"):
        with pytest.raises(UserError, match="not a name"):
            register_detector(name, Lower)
    with pytest.raises(UserError, match=r"cannot be called \(it is of type int\)"):
        register_detector("mine", 3)


def test_a_factory_that_fails_or_makes_nonsense_is_one_line():
    def no_model(model):
        raise FileNotFoundError("own.bin is missing\nin a long story")

    register_detector("mine", no_model)
    with pytest.raises(UserError) as caught:
        make_detector("mine")
    assert str(caught.value) == (
        "--detector mine: cannot be made (FileNotFoundError: own.bin is missing); correct or update the detector."
    )
    register_detector("mine", lambda model: 3)
    with pytest.raises(UserError, match="its factory returned int, which cannot be called"):
        make_detector("mine")


def test_a_detector_that_fails_is_one_line_and_its_own_user_errors_are_kept():
    def fail(photo):
        raise ZeroDivisionError

    register_detector("mine", lambda model: fail)
    with pytest.raises(UserError, match=r"fails on a photo of 50 x 40 pixels \(ZeroDivisionError"):
        make_detector("mine")(PHOTO)

    def own_error(_):
        raise UserError("camera 3", "is off", "turn it on")

    register_detector("mine", lambda model: own_error)
    with pytest.raises(UserError, match="camera 3: is off"):
        make_detector("mine")(PHOTO)
    register_detector("mine", own_error)
    with pytest.raises(UserError, match="camera 3: is off"):
        make_detector("mine")


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (None, "returned NoneType instead of a list of faces"),
        (Face((0, 0, 1, 1), 1.0), "returned Face instead of a list of faces"),
        ([(0, 0, 1, 1)], "returned tuple instead of a face"),
        ([Face((0, 0, 1), 1.0)], "returned a face without numbers"),
        ([Face(None, 1.0)], "returned a face without numbers"),
        ([Face((0, 0, 1, "x"), 1.0)], "returned a face without numbers"),
        ([Face((0, 0, 1, np.nan), 1.0)], "returned a face with a box that is not finite"),
        ([Face((5, 0, 5, 9), 1.0)], "returned a face with an empty box"),
        ([Face((0, 0, 1, 1), 87.0)], "returned a face with a score of 87; expected 0 to 1"),
        ([Face((0, 0, 1, 1), np.nan)], "returned a face with a score of nan"),
        ([Face((0, 0, 1, 1), 1.0, MARKS[:4])], "landmarks of shape (4, 2)"),
        (
            [Face((0, 0, 1, 1), 1.0, np.full((5, 2), np.inf))],
            "landmarks of shape (5, 2); expected five finite",
        ),
        ([Face((0, 0, 1, 1), 1.0, "eyes")], "returned a face without numbers"),
    ],
)
def test_nonsense_is_one_line(result, problem):
    with pytest.raises(UserError) as caught:
        returning(result)(PHOTO)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("--detector mine: ")


def test_plain_and_numpy_numbers_are_accepted():
    (face,) = returning([Face(np.array([1, 2, 3, 4]), np.float32(0.5), MARKS.tolist())])(PHOTO)
    assert (face.box, face.score) == ((1.0, 2.0, 3.0, 4.0), 0.5)
    assert all(type(edge) is float for edge in (*face.box, face.score))
    assert face.landmarks.dtype == np.float64


def test_the_command_line_takes_a_plug_in_and_rejects_unknown_names(tmp_path, capsys):
    from PIL import Image

    photo = tmp_path / "photo.png"
    Image.fromarray(PHOTO).save(photo)
    words = ["predict", str(photo), "--weights", "deep_emotion_paper-fer2013", "--detector"]
    register_detector("mine", Lower)
    assert main([*words, "mine"]) == 0
    assert "2 faces" in capsys.readouterr().out
    assert "--detector mime: unknown, nearest known: mine" in fails([*words, "mime"], capsys)
