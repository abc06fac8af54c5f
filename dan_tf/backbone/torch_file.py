"""Reads the tensors in a file of ``torch.save``, without PyTorch.

The file contains a pickle, and a pickle may call any function. Here nothing is unpickled: a small
interpreter knows only the instructions that a dictionary of tensors needs, and the names in it stay
text. Everything else is refused.
"""

import io
import math
import os
import pickletools
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

LARGEST_FILE = 2**30  # bytes
MOST_INSTRUCTIONS = 1_000_000  # EfficientNet-Lite0 has 11,000
# The first pickle in a file from before PyTorch 1.6: a number that marks the format.
_LEGACY_START = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_LEGACY_VERSION = 1001

_NESTED = ("state_dict", "model_state_dict")  # where a training script saves them
_ORDERED_DICT = "collections OrderedDict"
_REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"
_DTYPES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
}

_MARK = object()
_VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _MARK}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list}


def is_torch_file(path: str | os.PathLike[str]) -> bool:
    """Whether the file starts like one of ``torch.save``, in the format of 2020 or the one before.

    Example:
        >>> is_torch_file("dan.keras")
        False
    """
    with open(path, "rb") as file:
        if file.read(len(_LEGACY_START)) == _LEGACY_START:
            return True
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/")[-1] == "data.pkl" for name in archive.namelist())
    except Exception:  # not a zip, or a damaged one, which has many kinds of errors
        return False


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, in PyTorch's layout and their stored number types.

    Args:
        path: a file that ``torch.save`` wrote from a dictionary of tensors, or from a checkpoint
            of numbers, lists and texts that has such a dictionary as "state_dict" or
            "model_state_dict".

    Returns:
        Read-only arrays; several may share memory.

    Raises:
        ValueError: not such a file, damaged, larger than ``LARGEST_FILE``, or with anything in it
            besides tensors.

    Example:
        >>> read_state_dict("efficientnet-lite0.pth")["_conv_stem.weight"].shape
        (32, 3, 3, 3)
    """
    if os.path.getsize(path) > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE:,} bytes")
    with open(path, "rb") as file:
        content = file.read()
    try:
        tensors, storages = (
            _read_legacy(content) if content.startswith(_LEGACY_START) else _read_zip(content)
        )
        return {name: tensor.array(storages[tensor.storage.key]) for name, tensor in tensors}
    except ValueError:
        raise
    except Exception as error:  # many kinds: of zipfile, struct and of a stack that is too short
        raise ValueError(f"damaged: {type(error).__name__} {error}") from error


class _Storage(NamedTuple):
    """Consecutive numbers in the file."""

    dtype: np.dtype
    key: str
    length: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: np.ndarray) -> np.ndarray:
        """The view as an array."""
        integers = (self.offset, *self.shape, *self.strides)
        if any(type(number) is not int or number < 0 for number in integers):
            raise ValueError("a tensor whose shape is not made of whole numbers")
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if 0 in self.shape or last >= len(numbers) or math.prod(self.shape) > len(numbers):
            raise ValueError("a tensor that is empty or reaches outside its numbers")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, strides, writeable=False
        )


class _Name(str):
    """The name of a class or function in a pickle; never looked up."""

    __slots__ = ()


class _Interpreter:
    """Follows the instructions of a pickle; ``storages`` are those that it mentions, by key."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}

    def run(self, stream: io.BytesIO) -> Any:
        """The object that the pickle describes; the stream is then at its end."""
        for count, (instruction, argument, _) in enumerate(pickletools.genops(stream)):
            if count > MOST_INSTRUCTIONS:
                raise ValueError(f"more than {MOST_INSTRUCTIONS:,} instructions")
            name = instruction.name
            if name == "STOP":
                break
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            else:
                self._step(name, argument)
        return self.stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO":
                pass
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._pop(int(name[-1]))))
            case "APPEND" | "APPENDS":
                items = self._pop(1) if name == "APPEND" else self._since_mark()
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._pop(2) if name == "SETITEM" else self._since_mark()
                self._set_items(items)
            case "GLOBAL":
                stack.append(_known(argument))
            case "REDUCE":
                stack.append(_call(*self._pop(2)))
            case "BINPERSID":
                stack.append(self._storage(*stack.pop()))
            case "BUILD":
                stack.pop()  # metadata of the layers
            case _:
                raise ValueError(f"instruction {name} is not allowed")

    def _pop(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _since_mark(self) -> list[Any]:
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _set_items(self, items: list[Any]) -> None:
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str) and type(key) is not int:  # a number: of an optimizer
                raise ValueError("a key that is not text")
            self.stack[-1][key] = value

    def _storage(self, kind: str, dtype: str, key: str, device: str, count: int, *_: Any) -> Any:
        right = isinstance(dtype, _Name) and isinstance(key, str) and type(count) is int
        if kind != "storage" or not right:
            raise ValueError("a reference that is not a storage")
        storage = _Storage(np.dtype(_DTYPES[dtype]), key, count)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key} has two types")
        return storage


def _known(name: str) -> _Name:
    if name not in (_ORDERED_DICT, _REBUILD_TENSOR, *_DTYPES):
        raise ValueError(f"it refers to {name.replace(' ', '.')[:80]!r}; only tensors are allowed")
    return _Name(name)


def _call(function: Any, arguments: Any) -> Any:
    if isinstance(function, _Name) and function == _ORDERED_DICT and arguments == ():
        return {}
    if isinstance(function, _Name) and function == _REBUILD_TENSOR:
        storage, offset, shape, strides = arguments[:4]
        if isinstance(storage, _Storage):
            return _Tensor(storage, offset, shape, strides)
    raise ValueError("a call that does not make a tensor")


def _tensors(loaded: Any) -> list[tuple[str, _Tensor]]:
    if not isinstance(loaded, dict) or not loaded:
        raise ValueError("not a dictionary of tensors")
    for name in _NESTED:
        if isinstance(loaded.get(name), dict) and loaded[name]:
            loaded = loaded[name]
    for name, value in loaded.items():
        if not isinstance(name, str):
            raise ValueError("a key that is not text")
        if not isinstance(value, _Tensor):
            raise ValueError(f"{name[:80]!r} is not a tensor")
    return list(loaded.items())


def _read_legacy(content: bytes) -> tuple[list[tuple[str, _Tensor]], dict[str, np.ndarray]]:
    """Five pickles, then for each storage its count of numbers and the numbers."""
    stream = io.BytesIO(content)
    _, version, system = (_Interpreter().run(stream) for _ in range(3))
    if version != _LEGACY_VERSION or system["little_endian"] is not True:
        raise ValueError("an unknown version, or written on a big-endian machine")
    interpreter = _Interpreter()
    tensors = _tensors(interpreter.run(stream))
    arrays: dict[str, np.ndarray] = {}
    for key in _Interpreter().run(stream):
        if not isinstance(key, str):
            raise ValueError("a storage without a name")
        storage = interpreter.storages[key]
        (count,) = struct.unpack("<q", stream.read(8))
        if count != storage.length:
            raise ValueError(f"storage {key} has {count} numbers instead of {storage.length}")
        arrays[key] = _numbers(storage, content, stream.tell())
        stream.seek(arrays[key].nbytes, io.SEEK_CUR)
    return tensors, arrays


def _read_zip(content: bytes) -> tuple[list[tuple[str, _Tensor]], dict[str, np.ndarray]]:
    """A folder with ``data.pkl`` and a file ``data/<key>`` for each storage, uncompressed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("it is compressed")
        if sum(entry.file_size for entry in entries) > len(content):
            raise ValueError("its entries are larger than the file")
        names = archive.namelist()
        (pickled,) = (name for name in names if name.split("/")[-1] == "data.pkl")
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("written on a big-endian machine")
        interpreter = _Interpreter()
        tensors = _tensors(interpreter.run(io.BytesIO(archive.read(pickled))))
        return tensors, {
            key: _numbers(storage, archive.read(f"{folder}data/{key}"))
            for key, storage in interpreter.storages.items()
        }


def _numbers(storage: _Storage, content: bytes, offset: int = 0) -> np.ndarray:
    if not 0 < storage.length * storage.dtype.itemsize <= len(content) - offset:
        raise ValueError(f"storage {storage.key} does not have {storage.length} numbers")
    return np.frombuffer(content, storage.dtype, storage.length, offset)
