"""A dataset and a finished run that the tests of the commands share."""

import pytest

from tests.support.command_line import workplace_in


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    return workplace_in(tmp_path_factory.mktemp("workplace"))


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace
