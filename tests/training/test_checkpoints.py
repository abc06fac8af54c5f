"""Checkpoints: the last two, whole or absent, verified when read."""

import os

import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.files import exclusive_lock, remove_partial_files
from ferkit.training.checkpoints import Checkpoints
from tests.support.mutations import mutations


def save(checkpoints, epoch, step=0, value=1.0):
    checkpoints.save(
        {"epoch": epoch, "step": step},
        {"v0": np.full((3, 2), value, np.float32), "v1": np.array(7)},
    )


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "backup")


def test_nothing_there_is_none(checkpoints):
    assert checkpoints.load() is None
    assert checkpoints.position() is None
    assert checkpoints.files() == []


def test_the_last_two_are_kept_and_the_newest_is_read(checkpoints):
    for epoch, step in ((0, 9), (0, 120), (1, 0), (10, 3)):
        save(checkpoints, epoch, step, value=epoch + step)
    assert [path.name for path in checkpoints.files()] == [
        "state-000010-00000003.npz",
        "state-000001-00000000.npz",
    ]
    position, arrays = checkpoints.load()
    assert position == {"epoch": 10, "step": 3} == checkpoints.position()
    np.testing.assert_array_equal(arrays["v0"], np.full((3, 2), 13.0))
    assert arrays["v1"].shape == ()
    assert checkpoints.warnings == []


def test_every_single_byte_of_the_arrays_is_verified(checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2, value=2.0)
    newest = checkpoints.files()[0]
    whole = newest.read_bytes()
    value = np.float32(2.0).tobytes()
    place = whole.index(value * 6)
    for offset in range(24):
        newest.write_bytes(
            whole[: place + offset]
            + bytes([whole[place + offset] ^ 1])
            + whole[place + offset + 1 :]
        )
        position, arrays = Checkpoints(checkpoints.folder).load()
        assert position["epoch"] == 1
        np.testing.assert_array_equal(arrays["v0"], np.ones((3, 2)))


@pytest.mark.parametrize("length", [0, 1, 100, -1, -30])
def test_a_truncated_one_falls_back_and_is_let_go_by_the_next(length, checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2)
    newest = checkpoints.files()[0]
    newest.write_bytes(newest.read_bytes()[:length])
    assert checkpoints.load()[0]["epoch"] == 1
    assert checkpoints.position()["epoch"] == 1
    assert len(checkpoints.warnings) == 1
    assert "state-000002-00000000.npz: damaged" in checkpoints.warnings[0]
    save(checkpoints, 1, 5)
    assert [path.name for path in checkpoints.files()] == [
        "state-000001-00000005.npz",
        "state-000001-00000000.npz",
    ]


def test_no_mutation_is_read_as_an_intact_checkpoint(checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2, value=2.0)
    newest = checkpoints.files()[0]
    intact = newest.read_bytes()
    expected = {1: np.ones((3, 2)), 2: np.full((3, 2), 2.0)}
    for mutated in mutations(intact):
        newest.write_bytes(mutated)
        reader = Checkpoints(checkpoints.folder)
        position, arrays = reader.load()
        assert position == reader.position()
        assert position == {"epoch": position["epoch"], "step": 0}
        assert list(arrays) == ["v0", "v1"]
        np.testing.assert_array_equal(arrays["v0"], expected[position["epoch"]])
        assert arrays["v1"] == 7
        assert len(reader.warnings) == (position["epoch"] == 1)


def test_a_checkpoint_of_version_0_2_is_read(checkpoints):
    checkpoints.folder.mkdir()
    arrays = {"position": np.array('{"epoch": 3, "step": 0}'), "v0": np.ones(4), "v1": np.array(2)}
    path = checkpoints.folder / "state-000003-00000000.npz"
    np.savez(path, **arrays)
    position, read = checkpoints.load()
    assert position == {"epoch": 3, "step": 0} == checkpoints.position()
    assert list(read) == ["v0", "v1"]
    np.testing.assert_array_equal(read["v0"], np.ones(4))
    whole = path.read_bytes()
    place = whole.index(np.ones(4).tobytes())
    path.write_bytes(whole[: place + 3] + b"x" + whole[place + 4 :])
    with pytest.raises(UserError, match="damaged"):
        checkpoints.load()


def test_a_missing_array_is_damage(checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2)
    newest = checkpoints.files()[0]
    with np.load(newest) as file:
        arrays = {name: file[name] for name in file.files if name != "v1"}
    np.savez(newest, **arrays)
    assert checkpoints.load()[0]["epoch"] == 1
    assert "does not match its list of checksums" in checkpoints.warnings[0]


def test_if_all_are_damaged_that_is_one_line(checkpoints):
    save(checkpoints, 1)
    file = checkpoints.files()[0]
    file.write_bytes(file.read_bytes().replace(b"PK\x01\x02", b"PK\x09\x09"))
    with pytest.raises(UserError, match=r"damaged, like every other checkpoint"):
        checkpoints.load()
    assert checkpoints.position() is None


def test_a_run_of_an_older_version_is_not_started_over(checkpoints):
    checkpoints.folder.mkdir()
    (checkpoints.folder / "state.npz").write_bytes(b"PK")
    with pytest.raises(
        UserError,
        match=r"state\.npz: a checkpoint of an older version, which cannot be resumed",
    ):
        checkpoints.load()


def test_a_full_disk_leaves_what_was_there(checkpoints, monkeypatch):
    save(checkpoints, 1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ferkit.verified_arrays.np.savez", full)
    with pytest.raises(
        UserError,
        match=r"state-000002-00000000.npz: no space left on the disk; free some and run again",
    ):
        save(checkpoints, 2)
    assert checkpoints.load()[0]["epoch"] == 1
    assert [path.name for path in checkpoints.folder.iterdir()] == ["state-000001-00000000.npz"]


def test_drafts_of_killed_processes_go_and_other_files_stay(tmp_path):
    (tmp_path / "backup").mkdir()
    for name in (
        ".123-best.keras",
        "backup/.77-state-000001-00000000.npz",
        ".gitignore",
        "notes.txt",
    ):
        (tmp_path / name).write_text("x")
    remove_partial_files(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        ".gitignore",
        "notes.txt",
    ]


@pytest.mark.skipif(os.name == "nt", reason="no flock there")
def test_a_folder_has_one_user_at_a_time(tmp_path):
    with (
        exclusive_lock(tmp_path, UserError("folder", "taken")),
        pytest.raises(UserError, match="taken"),
        exclusive_lock(tmp_path, UserError("folder", "taken")),
    ):
        pass
    with exclusive_lock(tmp_path, UserError("folder", "taken")):
        pass
