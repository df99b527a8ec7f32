"""One stand-in for Redshift a session, which everybody may have databases in."""

from collections.abc import Iterator

import pytest

from tests.redshift.standin import Standin


@pytest.fixture(scope="session")
def standin() -> Iterator[Standin]:
    with Standin() as started:
        yield started
