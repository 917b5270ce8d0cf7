"""A store costs the same after a hundred syncs as after fifty."""

from __future__ import annotations

import pytest

from tests.benchmarks import growth


def test_growth_is_flat_and_its_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert growth.main(["--lengths", "48", "96", "--real-hours", "2"]) == 0

    printed = capsys.readouterr().out
    assert "2 hours of the real writer" in printed
    assert "96 syncs of 12 files:" in printed
    assert printed.endswith("flat\n")
