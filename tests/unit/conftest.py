"""Makes the modules beside the tests importable, and one record for all tests that write to one."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder, and the recorder of a database in it."""
    from recording import opened  # noqa: PLC0415 - it imports MLflow, which takes seconds that most tests do without

    folder = tmp_path_factory.mktemp("mlflow")
    return folder, opened(folder)


@pytest.fixture
def named(place):
    """A recorder, its client, an experiment's name of its own, and a folder for attempts."""
    from recording import client_of, new_name  # noqa: PLC0415 - as above

    folder, recorder = place
    name = new_name()
    return recorder, client_of(recorder), name, folder / name
