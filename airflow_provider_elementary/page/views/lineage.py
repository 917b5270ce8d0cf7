"""Shows the lineage of the project, or of a search."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, Request, page_of
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.health import TableHealth
from airflow_provider_elementary.project.project import reached

#: Nodes of one page; of more, nobody could read a graph.
_PAGE = 300
#: How far up and down a search may be followed; without a search the whole project is shown.
STEPS = (0, 1, 2, 3, 5, 10)


@dataclass(frozen=True)
class LineageNode:
    """A node of the graph.

    :param table: the state of its table, where it has one.
    :param level: its column in the graph: one more than that of the nodes that it reads.
    :param is_found: whether it is what was searched for, not only near it.
    """

    node: Node
    table: TableHealth | None
    level: int
    is_found: bool


@dataclass(frozen=True)
class LineageView:
    """What the template ``lineage.html`` shows.

    :param nodes: in the order of their levels.
    :param is_graph: whether all of them fit on the page, so that they can be drawn.
    :param up: steps upstream of what was found; ``down``: downstream.
    """

    store_status: StoreStatus
    nodes: tuple[LineageNode, ...]
    is_graph: bool
    search: str
    up: int
    down: int
    pagination: ListPage


def build(request: Request) -> LineageView:
    """Return one page of the nodes that match, with those upstream and downstream of them."""
    store_status = load_store_status(request.reader)
    project, search = store_status.project, request.text("q")
    up, down = _steps(request, "up"), _steps(request, "down")
    nodes: Mapping[str, Node] = project.nodes if project else {}
    exact = {node.unique_id for node in nodes.values() if search.upper() in (*node.tables, node.unique_id.upper())}
    found = exact or {node.unique_id for node in nodes.values() if search and _matches(node, search)}
    wanted: Collection[str] = nodes
    if project and search:
        above = {unique_id: node.upstream for unique_id, node in nodes.items()}
        wanted = {*reached(found, up, above), *reached(found, down, project.downstream)} & nodes.keys()
    levels = levels_of({name: nodes[name] for name in wanted})
    ordered = sorted(levels, key=lambda name: (levels[name], nodes[name].table, name))
    shown, page = page_of(ordered, request.number("page"), _PAGE)
    health = {table.full_name: table for table in store_status.tables}
    return LineageView(
        store_status=store_status,
        nodes=tuple(
            LineageNode(nodes[name], health.get(nodes[name].table), levels[name], name in found) for name in shown
        ),
        is_graph=1 < page.total <= _PAGE,
        search=search,
        up=up,
        down=down,
        pagination=page,
    )


def levels_of(nodes: Mapping[str, Node]) -> dict[str, int]:
    """Return of each node how many nodes are upstream of it in a row; those of a cycle come last, on one level."""
    sorter = TopologicalSorter({name: {*node.upstream} & nodes.keys() - {name} for name, node in nodes.items()})
    # After a cycle is found, all that does not wait for one is still given out.
    with suppress(CycleError):
        sorter.prepare()
    levels: dict[str, int] = {}
    level = 0
    while ready := sorter.get_ready():
        levels.update(dict.fromkeys(ready, level))
        sorter.done(*ready)
        level += 1
    return {name: levels.get(name, level) for name in nodes}


def _steps(request: Request, name: str) -> int:
    text = request.text(name)
    return int(text) if text in map(str, STEPS) else 1


def _matches(node: Node, search: str) -> bool:
    words = _words(node)
    return all(any(word in text for text in words) for word in search.lower().split())


def _words(node: Node) -> Iterable[str]:
    return [text.lower() for text in (node.table, node.name, node.kind, *node.owners, *node.tags)]
