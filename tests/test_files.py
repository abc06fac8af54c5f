"""Writing files: complete or absent, and only regular files are replaced."""

import os
import subprocess
import sys
import threading

import pytest

from ferkit import files
from ferkit.errors import UserError
from ferkit.files import folder_written_atomically, write_csv, write_json, written_atomically
from tests.support.command_line import ROOT

needs_posix = pytest.mark.skipif(os.name == "nt", reason="devices, links and pipes of POSIX")


@needs_posix
def test_the_target_of_a_link_gets_the_content_and_the_link_stays(tmp_path):
    (tmp_path / "target.json").write_text("old")
    (tmp_path / "link.json").symlink_to("target.json")
    (tmp_path / "new.json").symlink_to("not-there.json")
    write_json(tmp_path / "link.json", [1])
    write_json(tmp_path / "new.json", [2])
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "target.json").read_text() == "[\n  1\n]\n"
    assert (tmp_path / "not-there.json").read_text() == "[\n  2\n]\n"


@needs_posix
def test_a_link_to_a_folder_stays(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    with folder_written_atomically(tmp_path / "link") as draft:
        (draft / "inside").touch()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "inside").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


@needs_posix
def test_a_pipe_gets_the_content_and_stays(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    write_csv(pipe, [{"a": 1}])
    reader.join()
    assert received == ["a\n1\n"] or received == ["a\r\n1\r\n"]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@needs_posix
def test_a_device_is_never_replaced(monkeypatch):
    replaced = []
    monkeypatch.setattr(files.os, "replace", lambda *paths: replaced.append(paths))
    write_json("/dev/null", [1])
    assert replaced == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_device_is_one_line():
    with pytest.raises(UserError, match="/dev/full: no space left on the disk; free some"):
        write_json("/dev/full", [1])


@needs_posix
def test_standard_output_keeps_what_was_printed_before_and_after(tmp_path):
    code = "from ferkit.files import write_json; print('a'); write_json('/dev/stdout', []); "
    command = [sys.executable, "-c", f"{code} print('b')"]
    with open(tmp_path / "out", "w") as out:
        subprocess.run(command, stdout=out, check=True, cwd=ROOT)
    assert (tmp_path / "out").read_text() == "a\n[]\nb\n"
    piped = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    assert piped.stdout == "a\n[]\nb\n"


def ended_process():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@needs_posix
def test_drafts_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    dead, alive = ended_process(), os.getppid()
    (tmp_path / f".ferkit-{dead}-face.keras").write_text("half")
    (tmp_path / f".ferkit-{dead}-model").mkdir()
    (tmp_path / f".ferkit-{dead}-model" / "half").touch()
    kept = [f".ferkit-{alive}-face.keras", ".ferkit-notes", f".{dead}-diary", ".hidden", "mine"]
    for name in kept:
        (tmp_path / name).touch()
    write_json(tmp_path / "new.json", [])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "new.json"])


@needs_posix
def test_a_folder_that_was_set_aside_before_a_kill_comes_back(tmp_path):
    before = tmp_path / f".ferkit-old-{ended_process()}-model"
    before.mkdir()
    (before / "weights").write_text("earlier")
    write_json(tmp_path / "new.json", [])
    assert (tmp_path / "model" / "weights").read_text() == "earlier"
    assert not before.exists()


def test_a_broken_pipe_of_the_block_is_not_blamed_on_the_file(tmp_path):
    def write():
        with written_atomically(tmp_path / "a.csv") as draft:
            draft.touch()
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        write()
    assert list(tmp_path.iterdir()) == []
