"""The built page of web/ on a host that sends files and nothing else, in a folder of that host."""

import contextlib
import functools
import http.server
import shutil
import threading

import cv2
import numpy as np
import pytest

from ferkit.export.formats import BUILT_PAGE

NEEDS_BUILT_PAGE = pytest.mark.skipif(
    not (BUILT_PAGE / "index.html").is_file(), reason="the page is not built: make web"
)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Sends files, and writes no log."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def hosted(folder, site=BUILT_PAGE):
    """The address of a copy of the site, in a folder of a host that runs until the block ends."""
    shutil.copytree(site, folder / "host" / "people" / "faces")
    handler = functools.partial(QuietHandler, directory=folder / "host")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/people/faces/"
        server.shutdown()


def unclear_face(astronaut: np.ndarray) -> np.ndarray:
    """The astronaut with a mouth that is upside down and blurred: no word stands out."""
    photo = astronaut.copy()
    photo[128:158, 190:252] = astronaut[128:158, 190:252][::-1]
    return cv2.GaussianBlur(photo, (0, 0), 5)
