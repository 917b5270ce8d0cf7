"""Writes tables of facts of the code: ``{facts} access-checks``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from airflow_provider_elementary.warehouses.kind import QueryHistory

Row = Sequence[str]


def access_checks() -> tuple[Row, list[Row]]:
    """Every access check and what it proves."""
    from airflow_provider_elementary.access.check.report import CHECKS

    return ("check", "what is proved where it passes"), [(f"`{name}`", claim) for name, claim in CHECKS.items()]


def categories() -> tuple[Row, list[Row]]:
    """Every category, what is in it, and whether a snapshot takes it by default."""
    from airflow_provider_elementary.elementary_schema import TABLES, Category
    from airflow_provider_elementary.snapshots.policy import DEFAULT_CATEGORIES

    rows = []
    for category in Category:
        tables = [name for name, table in TABLES.items() if category in table.categories]
        default = "in" if category in DEFAULT_CATEGORIES else "out"
        rows.append((f"`{category.value}`", category.label, default, ", ".join(f"`{name}`" for name in tables)))
    return ("name", "label", "by default", "tables with rows or columns of it"), rows


def tables() -> tuple[Row, list[Row]]:
    """Every known table of the Elementary schema."""
    from airflow_provider_elementary.elementary_schema import TABLES

    return ("table", "one row is", "kind", "key", "watermark"), [
        (
            f"`{table.name}`",
            table.grain,
            table.kind.value,
            " ".join(f"`{key}`" for key in table.key),
            f"`{table.watermark}`" if table.watermark else "none",
        )
        for table in TABLES.values()
    ]


def sensitive_columns() -> tuple[Row, list[Row]]:
    """Every column that needs care, by why and by table."""
    from airflow_provider_elementary.elementary_schema import TABLES, Sensitivity

    rows = []
    for why in Sensitivity:
        held = {
            table.name: [column.name for column in table.columns if column.sensitivity is why]
            for table in TABLES.values()
        }
        for name, columns in held.items():
            if columns:
                rows.append((why.value, f"`{name}`", " ".join(f"`{column}`" for column in columns)))
    return ("why", "table", "columns"), rows


def connection_fields() -> tuple[Row, list[Row]]:
    """Name the further fields of an ``elementary`` connection."""
    from airflow_provider_elementary.get_provider_info import CONNECTION_FIELDS

    return ("extra field", "label in the form", "meaning"), [
        (f"`{name}`", field["label"], field.get("description", "")) for name, field in CONNECTION_FIELDS.items()
    ]


def warehouses() -> tuple[Row, list[Row]]:
    """Every warehouse that a connection can open, and what this package supports there."""
    from airflow_provider_elementary.warehouses.registry import CONNECTABLE

    rows = [
        (
            kind.label,
            ", ".join(f"`{name}`" for name in (kind.connection_type, *kind.connection_types)),
            f"`[{kind.extra}]`" if kind.extra else "",
            "yes" if kind.grants else "no",
            "the standard's" if kind.inspector.endswith("information_schema") else "its own",
            "Arrow batches" if kind.driver.reads_arrow else "row by row",
        )
        for kind in CONNECTABLE
    ]
    return ("warehouse", "connection type", "extra", "grants", "access check", "read"), rows


def warehouse_proofs() -> tuple[Row, list[Row]]:
    """Every warehouse that a connection can open, and what the code for it was run against."""
    from airflow_provider_elementary.warehouses.registry import CONNECTABLE

    return ("warehouse", "reading", "grants and access check"), [
        (kind.label, str(kind.reading), str(kind.access)) for kind in CONNECTABLE
    ]


def query_histories() -> tuple[Row, list[Row]]:
    """Every warehouse whose query history is read, and what reading it was run against."""
    from airflow_provider_elementary.warehouses.registry import CONNECTABLE

    rows = [
        (
            kind.label,
            "a view of its own" if kind.history.is_own and not kind.history.is_cumulative else _list_of(kind.history),
            "runs of each statement" if kind.history.is_cumulative else "each query",
            f"{kind.history.delay} minutes" if kind.history.delay else "none",
            str(kind.history.proof),
        )
        for kind in CONNECTABLE
        if kind.history is not None
    ]
    return ("warehouse", "what is read", "one row is", "may be incomplete for", "reading it was"), rows


def _list_of(history: QueryHistory) -> str:
    return "a function of its own" if history.is_own else f"`{history.view}`"


def store_fields() -> tuple[Row, list[Row]]:
    """Name the extra fields of an ``elementary_store`` connection."""
    from airflow_provider_elementary.get_provider_info import STORE_CONNECTION_FIELDS

    return ("extra field", "label in the form", "meaning"), [
        (f"`{name}`", field["label"], field["description"]) for name, field in STORE_CONNECTION_FIELDS.items()
    ]


def configuration() -> tuple[Row, list[Row]]:
    """Name the options of ``airflow.cfg``, by section."""
    from airflow_provider_elementary.get_provider_info import get_provider_info

    rows = []
    for section, described in get_provider_info()["config"].items():
        for name, option in described["options"].items():
            default = f"`{option['default']}`" if option["default"] else "empty"
            rows.append((f"`[{section}] {name}`", option["description"], default))
    return ("option", "meaning", "default"), rows


def exceptions() -> tuple[Row, list[Row]]:
    """Every error, what it means, and whether Airflow retries."""
    from airflow_provider_elementary import exceptions as module

    found = [
        error
        for error in vars(module).values()
        if isinstance(error, type)
        and issubclass(error, module.ElementaryError)
        and error is not module.ElementaryError
        and error.__module__ == module.__name__
    ]
    return ("error", "meaning", "a retry may help"), [
        (f"`{error.__name__}`", (error.__doc__ or "").partition("\n")[0], "no" if error.permanent else "yes")
        for error in found
    ]


FACTS: dict[str, Callable[[], tuple[Row, list[Row]]]] = {
    "access-checks": access_checks,
    "categories": categories,
    "tables": tables,
    "sensitive-columns": sensitive_columns,
    "connection-fields": connection_fields,
    "warehouses": warehouses,
    "warehouse-proofs": warehouse_proofs,
    "query-histories": query_histories,
    "store-fields": store_fields,
    "configuration": configuration,
    "exceptions": exceptions,
}


class Facts(SphinxDirective):
    """A table of facts by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the table as Markdown and let the page's own parser read it."""
        head, rows = FACTS[self.arguments[0]]()
        lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
        return self.parse_text_to_nodes("\n".join(lines))


class Commands(SphinxDirective):
    """The ``--help`` of every command of ``airflow-elementary``."""

    def run(self) -> list[nodes.Node]:
        """One section a command."""
        sections: list[nodes.Node] = []
        for words, parser in commands():
            section = nodes.section(ids=["-".join(words)])
            section += nodes.title("", "", nodes.literal("", " ".join(words)))
            section += nodes.literal_block("", parser.format_help(), language="text")
            sections.append(section)
        return sections


def commands() -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    """Yield each command with the words that call it."""
    from airflow_provider_elementary.cli import main

    yield from _commands([], main._parser())


def _commands(words: list[str], parser: argparse.ArgumentParser) -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield words, parser
    for group in groups:
        for name, child in group.choices.items():
            yield from _commands([*words, name], child)


def _line(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("facts", Facts)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
