"""What kagglehub and huggingface_hub raise becomes one line; no network is used."""

import errno

import pytest

from ferkit.errors import UserError
from ferkit.hub.errors import HUGGING_FACE, KAGGLE, hub_errors


def line_of(hub, call):
    with pytest.raises(UserError) as raised, hub_errors("--from it", hub):
        call()
    line = str(raised.value)
    assert line.startswith("--from it: ")
    assert "\n" not in line
    return line


def kaggle_line():
    kagglehub = pytest.importorskip("kagglehub")
    return line_of(KAGGLE, lambda: kagglehub.dataset_download("somebody/faces"))


def hugging_face_line(name="somebody/faces"):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    return line_of(
        HUGGING_FACE, lambda: huggingface_hub.snapshot_download(name, repo_type="dataset")
    )


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (
            401,
            {"X-Error-Code": "RepoNotFound"},
            "not found on the Hugging Face Hub; check its owner and name; if it is private",
        ),
        (
            401,
            {"X-Error-Message": "Invalid credentials in Authorization header"},
            "the Hugging Face Hub refused access (401)",
        ),
        (
            403,
            {"X-Error-Code": "GatedRepo"},
            "the Hugging Face Hub gives it only to accounts that its owners have accepted; "
            "ask for access on its page, then run `hf auth login`, or set HF_TOKEN.",
        ),
        (403, {}, "the Hugging Face Hub refused access (403)"),
        (404, {"X-Error-Code": "RepoNotFound"}, "not found on the Hugging Face Hub"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "not found on the Hugging Face Hub"),
    ],
)
def test_what_the_hugging_face_hub_refuses(hub, status, headers, expected):
    hub.refusal = status, headers
    assert expected in hugging_face_line()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "Kaggle refused access (401); check its owner and name, accept the terms"),
        (403, "Kaggle refused access (403)"),
        (404, "not found on Kaggle"),
        (429, "Kaggle refused too many requests (429)"),
        (503, "Kaggle has a fault of its own (503); try again later."),
    ],
)
def test_what_kaggle_refuses(hub, status, expected):
    hub.refusal = status, {}
    assert expected in kaggle_line()


def test_no_connection(hub, monkeypatch):
    nobody = "http://127.0.0.1:9"  # the discard port, which nothing serves
    monkeypatch.setenv("http_proxy", nobody)
    monkeypatch.setenv("HTTP_PROXY", nobody)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", nobody)
    assert "no connection to Kaggle; check the network and try again" in kaggle_line()
    assert "no connection to the Hugging Face Hub; check the network" in hugging_face_line()


def test_offline_by_choice(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "unset HF_HUB_OFFLINE" in hugging_face_line()


def test_a_competition_needs_a_log_in(hub, monkeypatch):
    kagglehub = pytest.importorskip("kagglehub")
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    line = line_of(KAGGLE, lambda: kagglehub.competition_download("faces"))
    assert "Kaggle gives it only to users who are logged in; set KAGGLE_API_TOKEN" in line


def test_malformed_names(hub):
    kagglehub = pytest.importorskip("kagglehub")
    line = line_of(KAGGLE, lambda: kagglehub.dataset_download("faces"))
    assert "Kaggle cannot use it (Invalid dataset handle: faces)" in line
    assert "the Hugging Face Hub cannot use it (" in hugging_face_line("a/b/c")


def test_the_disk_and_the_unforeseen():
    def fail(error):
        raise error

    full = OSError(errno.ENOSPC, "No space left on device", "/cache/x")
    assert "cannot save it: No space left on device (/cache/x)" in line_of(
        KAGGLE, lambda: fail(full)
    )
    line = line_of(KAGGLE, lambda: fail(RuntimeError("first\nsecond")))
    assert "Kaggle did not deliver it (RuntimeError: first); try again." in line


def test_own_errors_pass_unchanged():
    own = UserError("x", "wrong")
    with pytest.raises(UserError) as raised, hub_errors("--from it", KAGGLE):
        raise own
    assert raised.value is own
