"""What a user pointed at.

Files, folders, patterns; which of them are photos and which are videos.
"""

import glob
from pathlib import Path

from ferkit.errors import UserError
from ferkit.recognition.photos import SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


def is_video(path: str | Path) -> bool:
    """By its name."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def found_files(given: list[str]) -> list[Path]:
    """The files that the arguments stand for, in their order, each once.

    A folder stands for all photos and videos in it and below, by their names' endings, sorted; a
    pattern for what it matches, sorted; a file for itself, whatever it is called, also if it does
    not exist: that is told when it is read.

    Raises:
        UserError: a folder or a pattern in which there is nothing.
    """
    files: dict[Path, None] = {}
    for text in given:
        path = Path(text)
        if path.is_dir():
            found = [
                file
                for file in sorted(path.rglob("*"))
                if file.suffix.lower() in SUFFIXES + VIDEO_SUFFIXES
            ]
            found = [file for file in found if file.is_file()]
            if not found:
                raise UserError(
                    f"{text}: no photo or video in this folder or below; known are {', '.join(SUFFIXES + VIDEO_SUFFIXES)}."
                )
        elif not path.exists() and glob.has_magic(text):
            found = [
                file
                for file in map(Path, sorted(glob.glob(text, recursive=True)))
                if file.is_file()
            ]
            if not found:
                raise UserError(f"{text}: nothing matches this pattern.")
        else:
            found = [path]
        files |= dict.fromkeys(found)
    return list(files)
