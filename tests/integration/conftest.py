"""A store that a test may spoil: a copy of the one that its file made, with its fixture ``original``."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elementary.snapshots import Manifest
from tests.support.postgres_reader import other_database, warehouse  # noqa: F401  # fixtures
from tests.support.stores import Rest, copied


@pytest.fixture
def rest(original: tuple[Rest, list[Manifest]], tmp_path: Path) -> Rest:
    return copied(original[0], tmp_path)


@pytest.fixture
def manifests(original: tuple[Rest, list[Manifest]]) -> list[Manifest]:
    return original[1]
