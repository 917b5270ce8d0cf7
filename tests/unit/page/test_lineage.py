"""The order of nodes in the lineage of a project, and what a search finds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.page.views import lineage as view
from airflow_provider_elementary.page.views.base import Request
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.reading import downstream_of


def nodes(**upstream: str) -> dict[str, Node]:
    return {
        name: Node(
            name, f"SHOP.{name.upper()}", name=name, tables=(f"SHOP.{name.upper()}",), upstream=tuple(up.split())
        )
        for name, up in upstream.items()
    }


def shown(monkeypatch: pytest.MonkeyPatch, held: dict[str, Node], **values: str) -> view.LineageView:
    project = SimpleNamespace(nodes=held, downstream=downstream_of(held))
    status: Any = SimpleNamespace(project=project, tables=())
    monkeypatch.setattr(view, "load_store_status", lambda reader: status)
    reader: Any = None
    return view.build(Request(reader, values))


def test_a_node_is_right_of_every_node_that_it_reads() -> None:
    assert view.levels_of(nodes(c="a b", b="a", a="", d="gone")) == {"a": 0, "d": 0, "b": 1, "c": 2}


def test_a_cycle_in_damaged_lineage_has_a_level_too() -> None:
    assert view.levels_of(nodes(a="b", b="a", c="", d="c", e="a")) == {"c": 0, "d": 1, "a": 2, "b": 2, "e": 2}


def test_a_search_is_followed_up_and_down_by_its_own_numbers_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = nodes(a="", b="a", c="b", d="c", e="d")

    found = shown(monkeypatch, chain, q="c", up="0", down="2")

    assert [each.node.unique_id for each in found.nodes] == ["c", "d", "e"]
    assert [each.is_found for each in found.nodes] == [True, False, False]


def test_the_full_name_of_a_table_finds_that_table_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    held = nodes(orders="", orders_by_day="")

    found = shown(monkeypatch, held, q="shop.orders", up="0", down="0")

    assert [each.node.unique_id for each in found.nodes] == ["orders"]


def test_more_nodes_than_a_person_can_read_are_listed_and_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shown(monkeypatch, nodes(**{f"n{number}": "" for number in range(301)}))

    assert (found.is_graph, len(found.nodes), found.pagination.total) == (False, 300, 301)
