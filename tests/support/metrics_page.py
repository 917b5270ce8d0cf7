"""Generates the tables of docs/metrics.md: ``python -m tests.support.metrics_page``."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_elementary.metrics.definitions import COLLECTED
from airflow_provider_elementary.metrics.registry import DEFINITIONS

PATH = Path(__file__).parents[2] / "docs" / "metrics.md"


def collected_table() -> list[str]:
    """Return the table of the metrics that Elementary's package collects."""
    rows = [f"| `{metric.name}` | {metric.unit} | {metric.family} | {metric.formula} |" for metric in COLLECTED]
    return ["| monitor | unit | modelled as | value |", "|---|---|---|---|", *rows]


def computed_table() -> list[str]:
    """Return the table of the computed metrics."""
    rows = []
    for definition in DEFINITIONS:
        tables = ", ".join(f"`{table}`" for table in {**definition.needs, **definition.useful})
        for metric in definition.metrics:
            facts = f"| `{metric.name}` | {metric.unit} | {metric.family} | {metric.formula} | {definition.grain} "
            rows.append(f"{facts}| {tables} | {'yes' if metric.is_scored else 'no'} |")
    return [
        "| metric | unit | modelled as | formula | grain | tables | scored |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]


def with_tables(page: str) -> str:
    """Return the page with its two tables generated."""
    lines = page.split("\n")
    for heading, table in (("| monitor |", collected_table()), ("| metric |", computed_table())):
        first = next(number for number, line in enumerate(lines) if line.startswith(heading))
        last = next(number for number in range(first, len(lines)) if not lines[number].startswith("|"))
        lines[first:last] = table
    return "\n".join(lines)


if __name__ == "__main__":
    PATH.write_text(with_tables(PATH.read_text(encoding="utf-8")), encoding="utf-8")
