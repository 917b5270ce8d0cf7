"""A store costs the same after a hundred syncs as after fifty."""

from __future__ import annotations

import pytest

from tests.benchmarks import growth


def test_growth_is_flat_and_its_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert growth.main(["--lengths", "48", "96", "--real-hours", "3"]) == 0

    printed = capsys.readouterr().out
    assert all(f"| 96 | {name} |" in printed for name in (*growth.MOST, *growth.ACTIONS))
    assert "96 syncs of 12 files:" in printed
    assert printed.endswith("flat\n")


def test_a_task_of_the_real_writer_that_costs_too_much_is_named() -> None:
    costs = dict.fromkeys(growth.MOST, growth.Cost(1, 0, 0)) | {"page, first view": growth.Cost(61, 0, 0)}

    assert growth.check_week(375, costs) == ["page, first view: 61 requests after 375 syncs; at most 60"]


@pytest.mark.parametrize(
    ("kb", "wrong"),
    [(130, []), (131, ["commit of the next sync: 131 kB at 543 syncs, 109 at 375; at most 130"])],
)
def test_bytes_that_grow_with_the_chain_are_named(kb: int, wrong: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "commit of the next sync"
    monkeypatch.setattr(growth, "ACTIONS", {name: growth.ACTIONS[name]})

    found = growth.check(375, 543, {375: {name: (38, 109_000, 0)}, 543: {name: (38, kb * 1000, 0)}})

    assert found == wrong
