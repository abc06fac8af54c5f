"""Names of outputs: no input, other result or file of the user is replaced."""

import json
import os

import pytest

from ferkit.errors import UserError
from ferkit.outputs import OutputNames, check_outputs, check_report_folder, is_same_file


def named(names, *sources):
    return [path.relative_to(names.folder).as_posix() for s in sources for path in names.paths(s)]


def test_the_first_source_has_the_plain_name_and_a_number_avoids_later_names(tmp_path):
    wanted = {"b/a.jpg": ["a.jpg"], "c/a.jpg": ["a.jpg"], "c/a-2.jpg": ["a-2.jpg"]}
    names = OutputNames(tmp_path, wanted)
    assert named(names, *wanted) == ["a.jpg", "a-3.jpg", "a-2.jpg"]
    backwards = OutputNames(tmp_path, wanted)
    assert named(backwards, *reversed(wanted)) == ["a-2.jpg", "a-3.jpg", "a.jpg"]


def test_the_results_of_a_source_have_the_same_number(tmp_path):
    names = OutputNames(tmp_path, {"talk.png": ["talk.png"], "talk.mp4": ["talk.mp4", "talk.png"]})
    assert named(names, "talk.png", "talk.mp4") == ["talk.png", "talk-2.mp4", "talk-2.png"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_is_never_an_output_also_through_links(tmp_path, link):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"photo")
    (tmp_path / "to").mkdir()
    link(photo, tmp_path / "to" / "photo.jpg")
    names = OutputNames(tmp_path / "to", {str(photo): ["photo.jpg"]})
    assert named(names, str(photo)) == ["photo-2.jpg"]
    assert is_same_file(photo, tmp_path / "to" / "photo.jpg")


def test_only_the_earlier_result_of_the_same_input_and_settings_is_replaced(tmp_path):
    photo = tmp_path / "x.jpg"
    photo.touch()

    def written(model):
        names = OutputNames(tmp_path / "to", {str(photo): ["x.png"]}, settings=[model])
        (path,) = names.paths(photo)
        path.parent.mkdir(exist_ok=True)
        path.write_text(names.tag(photo))
        return path.name

    assert [written(model) for model in ("a", "b", "a", "b")] == ["x.png", "x-2.png"] * 2
    (tmp_path / "to" / "x.png").write_text("a picture of the user")
    assert [written(model) for model in ("a", "b", "a")] == ["x-3.png", "x-2.png", "x-3.png"]
    assert (tmp_path / "to" / "x.png").read_text() == "a picture of the user"


def test_a_recording_of_a_camera_is_never_replaced(tmp_path):
    def written():
        names = OutputNames(tmp_path, {"camera 0": ["camera-0.mp4"]})
        (path,) = names.paths("camera 0")
        path.write_text(names.tag("camera 0"))
        return path.name

    assert [written(), written()] == ["camera-0.mp4", "camera-0-2.mp4"]


def test_folders_and_links_to_nowhere_are_not_outputs(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a-2.png").symlink_to("nowhere.png")
    assert named(OutputNames(tmp_path, {"a.jpg": ["a.png"]}), "a.jpg") == ["a-3.png"]


def test_named_outputs_are_neither_inputs_nor_the_same_file(tmp_path):
    photo, other = tmp_path / "me.jpg", tmp_path / "link.jpg"
    photo.touch()
    other.symlink_to(photo)
    for path in (photo, other, tmp_path / "." / "me.jpg"):
        with pytest.raises(UserError, match=r"--csv .*: the same file as the input .*me\.jpg"):
            check_outputs({"--csv": path}, [photo, None])
    with pytest.raises(UserError, match=r"--json .*new: the same file as --csv .*new; give two"):
        check_outputs({"--csv": tmp_path / "new", "--json": tmp_path / "new"})
    check_outputs({"--csv": tmp_path / "new", "--json": None}, [photo])
    check_outputs({"--csv": os.devnull, "--json": os.devnull})


def test_a_report_goes_to_its_own_folder(tmp_path):
    check_report_folder("--report", tmp_path / "new")
    (tmp_path / "notes.txt").touch()
    check_report_folder("--report", tmp_path)
    (tmp_path / "index.html").write_text("my page")
    with pytest.raises(UserError, match=r"--report .*: contains index\.html, which is not a rep"):
        check_report_folder("--report", tmp_path)
    (tmp_path / "figures.json").write_text(json.dumps({"confusion": []}))
    check_report_folder("--report", tmp_path)
    with pytest.raises(UserError, match="is a file"):
        check_report_folder("--report", tmp_path / "notes.txt")
