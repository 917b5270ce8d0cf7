"""The commands ``anomalies``, ``lint`` and ``backtest``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.cli.exits import FINDING, FINE, UsageError, say, usage
from airflow_provider_elementary.cli.options import open_repository, whole_number
from airflow_provider_elementary.cli.output import print_json

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import SnapshotSource

_ROWS_SHOWN = 40
_TABLES_NAMED = 10


def add_anomalies(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``anomalies``."""
    _add_method(parser, days=2)
    parser.add_argument(
        "--fail-on",
        action="append",
        metavar="WHAT",
        help="exit with 1 for: any (anomaly), error (one of a metric with a dbt test of that severity), or a model's "
        "name, which may be repeated (default: none)",
    )
    parser.set_defaults(command=show_anomalies)


def add_lint(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lint``."""
    _add_snapshot(parser)
    parser.set_defaults(command=show_findings)


def add_backtest(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``backtest``."""
    _add_method(parser, days=30)
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a chart of days and tables to this file")
    parser.add_argument("--table", help="chart one table's series instead; needs --metric")
    parser.add_argument("--metric", metavar="[COLUMN.]METRIC", help="the series to chart")
    parser.set_defaults(command=show_backtest)


def show_anomalies(arguments: argparse.Namespace) -> int:
    """Score the newest buckets and print incidents, or everything as JSON.

    :return: 1 if there are anomalies that ``--fail-on`` names, else 0.
    """
    from rich.console import Console

    from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
    from airflow_provider_elementary.cli.summary import show_incidents
    from airflow_provider_elementary.incidents.current import current_conditions, read_conditions_of
    from airflow_provider_elementary.incidents.evaluate import EvaluationOptions, evaluate
    from airflow_provider_elementary.incidents.origins import with_origins
    from airflow_provider_elementary.incidents.tracking import track_incidents
    from airflow_provider_elementary.metrics import compute_metrics
    from airflow_provider_elementary.project.lineage import read_lineage

    source = _open(arguments)
    fail_on = arguments.fail_on or ["none"]
    options = EvaluationOptions(
        method=arguments.method,
        days=arguments.days,
        parameters=_parameters(arguments),
        fail_on=fail_on[0] if len(fail_on) == 1 else fail_on,
    )
    with usage(), compute_metrics(source) as metrics:
        configurations = read_test_configurations(source)
        found = evaluate(metrics, read_lineage(source), options, adapter=source.adapter, configurations=configurations)
    conditions = current_conditions(found.verdicts, found.lineage, read_conditions_of(source))
    incidents = track_incidents(with_origins(conditions, (), found.lineage, source, source.adapter), found.lineage)
    if arguments.json:
        facts = {"summary": asdict(found.summary), "incidents": [incident.to_dict() for incident in incidents]}
        print_json({**facts, "stopping_tables": found.stopping})
    else:
        show_incidents(Console(highlight=False), incidents, found.verdicts)
    if found.stopping:
        names = ", ".join(found.stopping[:_TABLES_NAMED])
        say(f"Anomalies that --fail-on names are in {len(found.stopping)} tables: {names}.")
    return FINDING if found.stopping else FINE


def show_findings(arguments: argparse.Namespace) -> None:
    """Print misconfigured anomaly tests."""
    from rich.console import Console
    from rich.markup import escape

    from airflow_provider_elementary.anomalies.elementary.lint import lint

    findings = lint(_open(arguments))
    if arguments.json:
        print_json([asdict(finding) for finding in findings])
        return
    console = Console(highlight=False)
    if not findings:
        console.print("No misconfigured anomaly tests found.")
    for finding in findings:
        what = ".".join(filter(None, (finding.column_name, finding.metric_name)))
        console.print(f"[bold]{finding.rule}[/bold]: {escape(_short(finding.full_table_name))} {escape(what)}")
        console.print(f"  {finding.reason}\n  {finding.advice}", markup=False, soft_wrap=True)


def show_backtest(arguments: argparse.Namespace) -> None:
    """Print the anomalies of the backtest by metric, and write the chart if asked for."""
    from rich.console import Console
    from rich.table import Table

    from airflow_provider_elementary.anomalies import backtest
    from airflow_provider_elementary.anomalies.backtest import metric_in_words
    from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
    from airflow_provider_elementary.metrics import compute_metrics

    if bool(arguments.table) != bool(arguments.metric) or (arguments.table and not arguments.svg):
        raise UsageError("--table and --metric name the series of a chart. Give both, with --svg.")
    source = _open(arguments)
    with usage(), compute_metrics(source) as metrics:
        configurations = read_test_configurations(source)
        given = _parameters(arguments)
        found = backtest(metrics, arguments.method, given, arguments.days, source.adapter, configurations)
    if arguments.svg:
        chart = _picture(found.verdicts, arguments)
        # It shows values of the warehouse.
        with os.fdopen(os.open(arguments.svg, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(chart)
    rows = [row for row in found.by_metric.to_pylist() if row["anomalous"]]
    if arguments.json:
        print_json({"scored": found.scored, "anomalous": found.anomalous, "by_metric": rows})
        return
    title = f"{found.anomalous:,} of {found.scored:,} buckets of {arguments.days} days would have been anomalous"
    table = Table("Table", "Metric", "Anomalous", "First", "Last", title=title, title_justify="left")
    for row in rows[:_ROWS_SHOWN]:
        first, last = (f"{row[name]:%Y-%m-%d}" for name in ("first", "last"))
        times = f"{row['anomalous']} of {row['scored']}"
        table.add_row(_short(row["full_table_name"]), metric_in_words(row), times, first, last)
    console = Console(highlight=False)
    console.print(table)
    if len(rows) > _ROWS_SHOWN:
        console.print(f"… and {len(rows) - _ROWS_SHOWN} more metrics")


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", default="latest", help="a snapshot's id (default: latest)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_method(parser: argparse.ArgumentParser, days: int) -> None:
    _add_snapshot(parser)
    parser.add_argument(
        "--method", choices=("elementary", "robust"), default="elementary", help="(default: elementary)"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the method, as in anomaly_sensitivity=3.5; may be repeated",
    )
    parser.add_argument(
        "--days", type=whole_number(1), default=days, help=f"number of days before the newest bucket (default: {days})"
    )


def _parameters(arguments: argparse.Namespace) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for given in arguments.parameter:
        name, equals, value = given.partition("=")
        if not equals:
            raise UsageError(f"--parameter takes NAME=VALUE, not {given!r}.")
        try:
            # Python's and YAML's spellings too: the text False would be true.
            found[name] = json.loads(value.lower() if value.lower() in ("true", "false") else value)
        except ValueError:
            found[name] = value
    return found


def _open(arguments: argparse.Namespace) -> SnapshotSource:
    return open_repository(arguments).source(arguments.snapshot)


def _picture(verdicts: Any, arguments: argparse.Namespace) -> str:
    import pyarrow.compute as pc

    from airflow_provider_elementary.page.standalone import days_by_table, series_with_range

    if not arguments.table:
        return days_by_table(verdicts, f"{arguments.method}, {arguments.days} days")
    column, _, metric = arguments.metric.rpartition(".")
    of_column = pc.is_null(verdicts["column_name"])
    if column:
        of_column = pc.fill_null(pc.equal(pc.utf8_lower(verdicts["column_name"]), column.lower()), False)
    series = verdicts.filter(_all_of([
        pc.equal(pc.utf8_lower(verdicts["full_table_name"]), arguments.table.lower()),
        pc.equal(verdicts["metric_name"], metric),
        pc.is_null(verdicts["dimension"]),
        of_column,
    ]))  # fmt: skip
    if not len(series):
        raise UsageError(
            f"There is no series of --table {arguments.table} --metric {arguments.metric}. Name the table as "
            "database.schema.table, and a column's metric as column.metric."
        )
    return series_with_range(series, f"{arguments.table}: {arguments.metric}, {arguments.method}")


def _all_of(masks: Iterable[Any]) -> Any:
    import pyarrow.compute as pc

    masks = list(masks)
    both = masks[0]
    for mask in masks[1:]:
        both = pc.and_(both, mask)
    return both


def _short(table: str) -> str:
    return ".".join(table.lower().split(".")[-2:])
