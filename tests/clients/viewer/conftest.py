"""The toy scene as the page shows it."""

import pytest

from mvsam_client.viewer.exhibit import Exhibit
from tests.clients.viewer import toy


@pytest.fixture(scope="session")
def exhibit() -> Exhibit:
    return Exhibit.of(toy.photographs(), toy.extra())
