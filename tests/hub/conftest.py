import pytest

from tests.support.hub_server import hub_environment, hub_server


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in hub; kagglehub and huggingface_hub of this process ask nobody else."""
    constants = pytest.importorskip("huggingface_hub.constants")
    pytest.importorskip("kagglehub")
    with hub_server({"README.md": b"faces\n", "train/happy/1.png": b"not a picture"}) as running:
        for name, value in hub_environment(running.url, str(tmp_path)).items():
            monkeypatch.setenv(name, value)
        # It reads these variables when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
        yield running
