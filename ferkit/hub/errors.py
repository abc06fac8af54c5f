"""One line for whatever kagglehub and huggingface_hub raise: offline, refused, not found."""

import contextlib
import dataclasses
from collections.abc import Iterator

from ferkit.errors import UserError, first_line


@dataclasses.dataclass(frozen=True)
class Hub:
    """How messages name a hub.

    Attributes:
        title: its name in a sentence.
        log_in: how the user gives a token, in the imperative.
    """

    title: str
    log_in: str


KAGGLE = Hub(
    "Kaggle", "set KAGGLE_API_TOKEN to a token from kaggle.com/settings, or save it in ~/.kaggle"
)
HUGGING_FACE = Hub("the Hugging Face Hub", "run `hf auth login`, or set HF_TOKEN")

# The class names, also of the parents, that mean that no answer came. Names instead of classes:
# both libraries are optional, and each version of them uses another HTTP library.
_NO_ANSWER = {
    "ConnectionError",  # of requests and Python; OfflineModeIsEnabled is one, too
    "Timeout",  # requests
    "ChunkedEncodingError",  # requests: the connection broke while downloading
    "TransportError",  # httpx
    "LocalEntryNotFoundError",  # huggingface_hub: no answer, and nothing in its cache
    "RevisionResolutionError",  # the same
}
_NOT_LOGGED_IN = {"UnauthenticatedError", "CredentialError", "LocalTokenNotFoundError"}


@contextlib.contextmanager
def hub_errors(where: object, hub: Hub) -> Iterator[None]:
    """In this context, which calls kagglehub or huggingface_hub, any exception is a `UserError`.

    Put nothing but the call of the library into the context.

    Args:
        where: what the user named: the flag with its value, or the address of the model.
        hub: ``KAGGLE`` or ``HUGGING_FACE``.

    Raises:
        UserError: there was no connection, the hub refused access, has no such thing, or fails.

    Example:
        >>> with hub_errors("--from hf:owner/name", HUGGING_FACE):
        ...     folder = huggingface_hub.snapshot_download("owner/name", repo_type="dataset")
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # any: neither library documents all that it raises
        raise UserError(where, *_explanation(error, hub)) from error


def _explanation(error: Exception, hub: Hub) -> tuple[str, str]:
    """The problem and the advice for an exception of a hub's library."""
    causes = _causes(error)
    kinds = {parent.__name__ for cause in causes for parent in type(cause).__mro__}
    status = next((code for cause in causes if (code := _status(cause)) is not None), None)
    if "GatedRepoError" in kinds:
        return (
            f"{hub.title} gives it only to accounts that its owners have accepted",
            f"ask for access on its page, then {hub.log_in}",
        )
    if kinds & _NOT_LOGGED_IN:
        return f"{hub.title} gives it only to users who are logged in", hub.log_in
    if "RepositoryNotFoundError" in kinds or status == 404:
        advice = f"check its owner and name; if it is private, {hub.log_in}"
        return f"not found on {hub.title}", advice
    if status in (401, 403):
        advice = f"check its owner and name, accept the terms on its page, and {hub.log_in}"
        return f"{hub.title} refused access ({status})", advice
    if status == 429:
        return f"{hub.title} refused too many requests (429)", "try again in some minutes"
    if status is not None and status >= 500:
        return f"{hub.title} has a fault of its own ({status})", "try again later"
    if kinds & _NO_ANSWER:
        return f"no connection to {hub.title}", _offline_advice(kinds)
    return _other(error, hub)


def _offline_advice(kinds: set[str]) -> str:
    if "OfflineModeIsEnabled" in kinds:
        return "unset HF_HUB_OFFLINE: it is not in the cache either"
    return "check the network and try again; what is complete stays in the cache"


def _other(error: Exception, hub: Hub) -> tuple[str, str]:
    """The explanation of a fault that is neither the network's nor a refusal."""
    if isinstance(error, OSError) and error.errno is not None:  # the disk's
        file = f" ({error.filename})" if error.filename else ""
        return f"cannot save it: {error.strerror}{file}", "free space or check the permissions"
    if isinstance(error, ValueError):  # a malformed name, also HFValidationError
        return f"{hub.title} cannot use it ({first_line(error)})", "check its owner and name"
    problem = f"{hub.title} did not deliver it ({type(error).__name__}: {first_line(error)})"
    return problem, "try again"


def _causes(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the latest first."""
    causes: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in causes:
        causes.append(following)
        following = following.__cause__ or following.__context__
    return causes


def _status(error: BaseException) -> int | None:
    """The HTTP status of the answer that an exception holds, if it is an error."""
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) and code >= 400 else None
