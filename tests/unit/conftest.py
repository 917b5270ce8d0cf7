"""Unit tests start no server."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def certificates() -> None:
    """Stand in the way of every server fixture: each begins with its certificates."""
    pytest.fail("a unit test starts no server: move it to tests/integration")
