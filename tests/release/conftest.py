import pytest

from tests.support.model_hub import connected_hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in hub of models."""
    with connected_hub(tmp_path, monkeypatch) as running:
        yield running
