"""Results as a pandas DataFrame with the columns of ``predict --csv``."""

from collections.abc import Iterable, Iterator
from typing import Any

from ferkit.errors import UserError, not_installed
from ferkit.prediction.rows import NO_FACE, UNREADABLE, Row, cells, columns, empty_row, face_row
from ferkit.prediction.stream import StreamFrame
from ferkit.process import imported
from ferkit.recognition.photos import PhotoError
from ferkit.recognition.results import Expression, Faces

Result = Iterable[Expression] | StreamFrame | PhotoError

WHOLE_NUMBERS = ("frame", "face")
TEXTS = ("source", "label", "status")


def to_dataframe(results: Result | Iterable[Result]) -> Any:
    """Results as a pandas DataFrame: a row for each face, and for each photo or frame without one.

    The columns are those of ``predict --csv``: source, frame, time, face, left, top, right, bottom,
    score, one for each class, label and status ("ok", "unsure", "no_face" or "unreadable"). What
    a row does not have is missing (``pandas.isna``). A photo without a path has the source "photo
    N", where N is its position, from 0.

    Args:
        results: what ``Recognizer.predict``, ``predict_many`` or ``stream`` returns, or any
            iterable of faces, frames and ``PhotoError``. It is read to its end.

    Raises:
        UserError: pandas is not installed, or `results` contains something else.

    Example:
        >>> import ferkit
        >>> recognizer = ferkit.Recognizer()
        >>> table = ferkit.to_dataframe(recognizer.predict_many(["a.jpg", "b.jpg"]))
        >>> table.groupby("label").size()
    """
    try:
        make_table = imported("pandas:DataFrame")
    except ModuleNotFoundError as error:
        raise not_installed("to_dataframe", "pandas", '"deep-emotion-keras[train]"') from error
    names: dict[str, None] = {}
    rows: list[Row] = []
    for position, result in enumerate(_each(results)):
        rows += _rows(result, position)
        names |= dict.fromkeys(_class_names(result))
    table = make_table([cells(row, list(names)) for row in rows], columns=columns(list(names)))
    kinds = dict.fromkeys(table.columns, "float64")
    return table.astype(
        kinds | dict.fromkeys(WHOLE_NUMBERS, "Int64") | dict.fromkeys(TEXTS, "object")
    )


def _each(results: Any) -> Iterator[Any]:
    """Results one by one, also if there is only one."""
    is_one_photo = isinstance(results, list) and any(isinstance(r, Expression) for r in results)
    if is_one_photo or isinstance(results, Faces | StreamFrame | PhotoError):
        yield results
    elif isinstance(results, Iterable):
        yield from results
    else:
        raise _unknown(results)


def _rows(result: Any, position: int) -> list[Row]:
    """The rows of one photo or frame."""
    if isinstance(result, PhotoError):
        return [empty_row(result.where, UNREADABLE)]
    if isinstance(result, StreamFrame):
        place = (result.number, result.time)
        return [face_row(result.source, face, *place, face.track) for face in result.faces] or [
            empty_row(result.source, NO_FACE, *place)
        ]
    is_faces = isinstance(result, list) and all(isinstance(face, Expression) for face in result)
    if not is_faces:
        raise _unknown(result)
    source = getattr(result, "source", "") or f"photo {position}"
    return [face_row(source, face, face=number) for number, face in enumerate(result, start=1)] or [
        empty_row(source, NO_FACE)
    ]


def _class_names(result: Any) -> Iterable[str]:
    if isinstance(result, StreamFrame):
        return result.faces.class_names
    if isinstance(result, Faces):
        return result.class_names
    return result[0].probabilities if isinstance(result, list) and result else ()


def _unknown(result: object) -> UserError:
    problem = f"expected faces, frames or PhotoError, received {type(result).__name__}"
    return UserError("to_dataframe", problem, "give what predict, predict_many or stream returns")
