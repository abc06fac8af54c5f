"""Writes files like those of ``torch.save``, in both formats, and pickles that it never writes."""

import io
import struct
import zipfile

ORDERED_DICT = b"ccollections\nOrderedDict\n"
REBUILD_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGES = {
    "float64": b"ctorch\nDoubleStorage\n",
    "float32": b"ctorch\nFloatStorage\n",
    "float16": b"ctorch\nHalfStorage\n",
    "int64": b"ctorch\nLongStorage\n",
}
START = b"\x80\x02"  # of a pickle, protocol 2


def text(value):
    """A pickled string."""
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def number(value):
    """A pickled integer of up to 255 bytes."""
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def numbers(values):
    """A pickled tuple of integers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(array, key, legacy=False, count=None, offset=0, shape=None, strides=None):
    """A pickled tensor that views all of the storage `key`, or as the last arguments say."""
    steps = [step // array.itemsize for step in array.strides]
    storage = text("storage") + STORAGES[array.dtype.name] + text(key) + text("cpu")
    storage += number(array.size if count is None else count) + (b"N" if legacy else b"")
    view = number(offset) + numbers(array.shape if shape is None else shape)
    view += numbers(steps if strides is None else strides)
    hooks = b"\x89" + ORDERED_DICT + b")R"  # needs no gradient, and has no hooks
    return REBUILD_TENSOR + b"((" + storage + b"tQ" + view + hooks + b"tR"


def dictionary(items):
    """The pickle of an OrderedDict of pickled values by name, with metadata as PyTorch adds it."""
    pairs = b"".join(text(name) + value for name, value in items.items())
    metadata = b"}" + text("_metadata") + b"}s"
    return START + ORDERED_DICT + b")R(" + pairs + b"u" + metadata + b"b."


def zip_file(pickle, arrays, compression=zipfile.ZIP_STORED, **more):
    """The bytes of a file in the format of today: a pickle and an array for each key."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/version", "3\n")
        for key, array in arrays.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        for name, content in more.items():
            archive.writestr(f"archive/{name}", content)
    return file.getvalue()


def legacy_file(pickle, arrays, little_endian=True):
    """The bytes of a file in the format before PyTorch 1.6."""
    magic = START + b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    version = START + b"M\xe9\x03."
    flag = b"\x88" if little_endian else b"\x89"
    system = START + b"}" + text("little_endian") + flag + b"s."
    keys = START + b"](" + b"".join(map(text, arrays)) + b"e."
    content = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in arrays.values())
    return magic + version + system + pickle + keys + content


def state_file(state, legacy=False):
    """The bytes of a file of a whole state dict, arrays by name."""
    values = {name: tensor(array, name, legacy) for name, array in state.items()}
    return (legacy_file if legacy else zip_file)(dictionary(values), state)
