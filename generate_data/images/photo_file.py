"""The bytes of a photo's file, within limits that set-up and prediction share."""

import errno
import os
import stat
from pathlib import Path

from generate_data.image_types import MAX_BYTES


def photo_file_content(path: str | Path) -> bytes:
    """Returns the content of a regular file.

    A pipe would wait for ever, and a device such as /dev/zero would fill the memory.

    Raises:
        OSError: the file cannot be read, is not a regular file, or is larger than ``MAX_BYTES``.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, "a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if status.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES // 1_000_000:,} MB")
    return Path(path).read_bytes()
