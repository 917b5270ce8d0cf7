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


@pytest.mark.parametrize(
    ("kb", "wrong"),
    [(130, []), (131, ["commit of the next sync: 131 kB at 543 syncs, 109 at 375; at most 130"])],
)
def test_bytes_that_grow_with_the_chain_are_named(kb: int, wrong: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "commit of the next sync"
    monkeypatch.setattr(growth, "ACTIONS", {name: growth.ACTIONS[name]})

    found = growth.check(375, 543, {375: {name: (38, 109_000, 0)}, 543: {name: (38, kb * 1000, 0)}})

    assert found == wrong
