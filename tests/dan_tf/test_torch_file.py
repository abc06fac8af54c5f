"""Files of ``torch.save`` are read without PyTorch, and nothing in them is run."""

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dan_tf.backbone import torch_file
from dan_tf.backbone.torch_file import is_torch_file, read_state_dict
from tests.support import torch_files
from tests.support.torch_files import (
    ORDERED_DICT,
    REBUILD_TENSOR,
    START,
    dictionary,
    legacy_file,
    number,
    state_file,
    tensor,
    text,
    zip_file,
)

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "efficientnet_lite.npz"
ARRAY = np.arange(6, dtype="float32").reshape(2, 3)


@pytest.fixture
def read(tmp_path):
    """Writes bytes into a file and reads its tensors."""

    def read_bytes(content):
        path = tmp_path / "file.pth"
        path.write_bytes(content)
        return read_state_dict(path)

    return read_bytes


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_files_that_pytorch_wrote(name, read, tmp_path):
    """tests/golden/make_efficientnet_lite.py wrote them."""
    with np.load(GOLDEN) as golden:
        state = read(golden[f"file/{name}"].tobytes())
        assert is_torch_file(tmp_path / "file.pth")
    assert {key: (array.dtype.name, array.shape) for key, array in state.items()} == {
        "whole": ("float32", (2, 3)),
        "transposed": ("float32", (3, 2)),
        "row": ("float32", (3,)),
        "half": ("float16", (2,)),
        "double": ("float64", (1,)),
        "count": ("int64", ()),
    }
    np.testing.assert_array_equal(state["whole"], ARRAY)
    np.testing.assert_array_equal(state["transposed"], ARRAY.T)
    np.testing.assert_array_equal(state["row"], ARRAY[1])
    np.testing.assert_array_equal(state["half"], [0.5, -2.0])
    assert (state["double"], state["count"]) == (1e-300, 7)


@pytest.mark.parametrize("legacy", [True, False])
def test_files_of_the_writer_in_the_tests(legacy, read):
    state = {"a": ARRAY, "b.c": np.array([7]), "half": ARRAY.astype("float16")}
    received = read(state_file(state, legacy))
    assert list(received) == list(state)
    for name, array in state.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 no zip", b"\x80\x02}."])
def test_other_files_are_not_taken_for_one(content, tmp_path):
    (tmp_path / "other.pth").write_bytes(content)
    assert not is_torch_file(tmp_path / "other.pth")


def test_other_zips_are_not_taken_for_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert not is_torch_file(tmp_path / "other.keras")


# ---- files that were made to do harm ----


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_a_pickle_that_runs_a_command_is_refused_and_not_run(write, read, tmp_path):
    marker = tmp_path / "ran"
    attack = START + b"cos\nsystem\n(" + text(f"touch '{marker}'") + b"tR."
    with pytest.raises(ValueError, match=r"^it refers to 'os\.system'; only tensors are allowed$"):
        read(write(attack, {}))
    assert not marker.exists()
    pickle.loads(attack)  # the command does run where pickles are trusted
    assert marker.exists()


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"cbuiltins\neval\n(" + text("1") + b"tR.", r"refers to 'builtins\.eval'"),
        (b"ctorch.storage\nUntypedStorage\n.", r"refers to 'torch\.storage\.UntypedStorage'"),
        (text("os") + text("system") + b"\x93.", "instruction STACK_GLOBAL is not allowed"),
        (b"\x82\x01.", "instruction EXT1 is not allowed"),
        (b"(ios\nsystem\n.", "instruction INST is not allowed"),
        (ORDERED_DICT + b")}\x92.", "instruction NEWOBJ_EX is not allowed"),
        (b"P1\n.", "instruction PERSID is not allowed"),
        (ORDERED_DICT + b"}\x85R.", "a call that does not make a tensor"),
        (text("collections OrderedDict") + b")R.", "a call that does not make a tensor"),
        (REBUILD_TENSOR + b"(NNNNtR.", "a call that does not make a tensor"),
        (REBUILD_TENSOR + b")R.", "not enough values"),
        (b"(" + text("module") + b"tQ.", "damaged: TypeError"),
        (b"(" + text("storage") * 4 + number(1) + b"tQ.", "a reference that is not a storage"),
        (b"}" + b")" + b"\x85" * 100_000 + b"Ns.", "a key that is not text"),
        (b"N.", "not a dictionary of tensors"),
        (b"}.", "not a dictionary of tensors"),
        (b"}" + text("epoch") + number(3) + b"s.", "'epoch' is not a tensor"),
        (b"}" + text("a"), "pickle exhausted before seeing STOP"),
        (b"X\xff\xff\xff\xffshort.", "expected 4294967295 bytes"),
        (b"Nr\xff\xff\xff\x7f.", "not a dictionary of tensors"),  # the last of 2^31 memo entries
        (b"h\x07.", "damaged: KeyError"),
        (b"R.", "damaged: TypeError"),
        (b"t.", "damaged: IndexError"),
        (b"0" * 2, "instruction POP is not allowed"),
        (b"\xff", "opcode"),
    ],
)
def test_pickles_of_anything_else_are_refused(pickled, message, read):
    with pytest.raises(ValueError, match=message) as caught:
        read(zip_file(START + pickled, {}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "view",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (3, 3)},
        {"shape": (0, 3)},
        {"shape": (2, -3)},
        {"shape": (2**40, 2**40), "strides": (0, 0)},
        {"strides": (-3, 1)},
        {"strides": (2**70, 1)},
        {"strides": (1,)},
    ],
)
@pytest.mark.parametrize("legacy", [True, False])
def test_a_tensor_outside_its_storage_is_refused(view, legacy, read):
    pickled = dictionary({"a": tensor(ARRAY, "0", legacy, **view)})
    with pytest.raises(ValueError, match=r"a tensor|damaged|zip\(\)"):
        read((legacy_file if legacy else zip_file)(pickled, {"0": ARRAY}))


@pytest.mark.parametrize("count", [-1, 0, 7, 2**62, 2**80])
@pytest.mark.parametrize("legacy", [True, False])
def test_a_storage_of_the_wrong_size_is_refused(count, legacy, read):
    pickled = dictionary({"a": tensor(ARRAY, "0", legacy, count=count)})
    with pytest.raises(ValueError, match=f"storage 0 .*{count}"):
        read((legacy_file if legacy else zip_file)(pickled, {"0": ARRAY}))


def test_a_storage_of_two_types_or_without_numbers_is_refused(read):
    both = {"a": tensor(ARRAY, "0"), "b": tensor(ARRAY.astype("float16"), "0")}
    with pytest.raises(ValueError, match="storage 0 has two types"):
        read(zip_file(dictionary(both), {"0": ARRAY}))
    with pytest.raises(ValueError, match=r"no item named 'archive/data/\.\./\.\./0'"):
        read(zip_file(dictionary({"a": tensor(ARRAY, "../../0")}), {"0": ARRAY}))
    with pytest.raises(ValueError, match="damaged: KeyError"):
        read(legacy_file(dictionary({"a": tensor(ARRAY, "0", legacy=True)}), {}))


def test_files_of_other_machines_and_compressed_ones_are_refused(read):
    pickled, arrays = dictionary({"a": tensor(ARRAY, "0")}), {"0": ARRAY}
    for content in (
        zip_file(pickled, arrays, byteorder=b"big"),
        legacy_file(pickled, arrays, little_endian=False),
    ):
        with pytest.raises(ValueError, match="written on a big-endian machine"):
            read(content)
    with pytest.raises(ValueError, match="compressed"):
        read(zip_file(pickled, {"0": np.zeros(10**6)}, zipfile.ZIP_DEFLATED))


def test_entries_larger_than_the_file_are_refused(read):
    content = state_file({"a": ARRAY})
    place = content.rindex(b"PK\x01\x02") + 20  # the sizes of the last entry in the directory
    huge = struct.pack("<II", 2**31, 2**31)
    with pytest.raises(ValueError, match="its entries are larger than the file"):
        read(content[:place] + huge + content[place + 8 :])


def test_size_and_instructions_are_bounded(read, monkeypatch):
    monkeypatch.setattr(torch_file, "MOST_INSTRUCTIONS", 50)
    with pytest.raises(ValueError, match="more than 50 instructions"):
        read(zip_file(START + b"N" * 60 + b".", {}))
    monkeypatch.setattr(torch_file, "LARGEST_FILE", 1000)
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        read(bytes(1001))


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in a changed instruction
def test_any_damage_gives_arrays_or_value_error(legacy, read, tmp_path):
    content = state_file({"a": ARRAY, "b": np.array([7])}, legacy)
    numbers = np.random.default_rng(0)
    damaged = [content[:end] for end in range(0, len(content), 7)]
    for _ in range(300):
        changed = bytearray(content)
        changed[numbers.integers(len(content))] = numbers.integers(256)
        damaged.append(bytes(changed))
    refused = 0
    for variant in damaged:
        try:
            assert all(isinstance(array, np.ndarray) for array in read(variant).values())
        except ValueError:
            refused += 1
        assert is_torch_file(tmp_path / "file.pth") in (True, False)
    assert refused > len(damaged) / 4


def test_the_writer_and_the_reader_know_the_same_types():
    for dtype, name in torch_files.STORAGES.items():
        module, storage = name[1:].decode().split()
        assert np.dtype(torch_file._DTYPES[f"{module} {storage}"]) == dtype
