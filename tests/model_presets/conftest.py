import pytest

from tests.support.hub_server import hub_environment
from tests.support.model_hub import model_hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in hub; kagglehub and huggingface_hub of this process ask nobody else."""
    constants = pytest.importorskip("huggingface_hub.constants")
    pytest.importorskip("kagglehub")
    with model_hub() as running:
        for name, value in hub_environment(running.url, str(tmp_path)).items():
            monkeypatch.setenv(name, value)
        # It reads these variables when it is imported.
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
        yield running
