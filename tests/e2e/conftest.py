"""What the tests of this folder have in common: their JVMs start quickly."""

import pytest

from tests.conftest import share_classes


@pytest.fixture(scope="session", autouse=True)
def shared_classes():
    """Let every JVM that these tests start map this clone's archive of classes."""
    share_classes()
