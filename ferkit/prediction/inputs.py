"""Finds the photos and videos in the files, folders and patterns that the user gives."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from ferkit.errors import UserError, escaped
from ferkit.recognition.photos import SUFFIXES
from generate_data.folder_contents import EMPTY_FOLDERS, PassedOver, images_below

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")


def is_video(path: str | Path) -> bool:
    """Whether a file is a video, by its suffix."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def found_files(arguments: Sequence[str]) -> list[Path]:
    """The files that the arguments stand for, in their order and without repetitions.

    A folder stands for the photos and videos in it and its subfolders, by suffix and sorted; names
    that start with a dot are left out, and linked folders are read once. A pattern stands for the
    files that match, sorted. Any other argument stands for a file, whatever its suffix; whether it
    exists is checked when it is read.

    Args:
        arguments: files, folders and patterns.

    Raises:
        UserError: a folder or a pattern without files.
    """
    files: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = _files_in_folder(path)
        elif not path.exists() and glob.has_magic(argument):
            found = _only_files(map(Path, sorted(glob.glob(argument, recursive=True))))
            if not found:
                raise UserError(argument, "no file matches this pattern", "check the pattern")
        else:
            found = [path]
        files |= dict.fromkeys(found)
    return list(files)


def _files_in_folder(folder: Path) -> list[Path]:
    """The photos and videos below a folder; what is not read is printed."""
    suffixes, passed_over = SUFFIXES + VIDEO_SUFFIXES, PassedOver()
    found = [folder / path for path in images_below(folder, passed_over, suffixes)]
    files = sorted(_only_files(found))
    passed_over.paths.pop(EMPTY_FOLDERS, None)
    for warning in passed_over.warnings():
        print(f"{escaped(folder)}: {warning}")
    if not files:
        problem = "no photo or video in this folder or its subfolders"
        raise UserError(folder, problem, f"add files with these suffixes: {', '.join(suffixes)}")
    return files


def _only_files(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]
