"""The commands ``grants`` and ``check-access``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.cli.airflow_context import enable_metadata_db_connections
from airflow_provider_elementary.cli.exits import FINE, UsageError, failure, usage
from airflow_provider_elementary.cli.options import add_conn_id, add_json, add_user_options
from airflow_provider_elementary.cli.output import print_json, print_table
from airflow_provider_elementary.exceptions import AccessDeniedError

if TYPE_CHECKING:
    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.warehouses.source import WarehouseSource

#: What needs attention first.
_COLOURS = {"fail": "bold red", "unknown": "yellow", "warning": "yellow", "pass": "green", "not applicable": "dim"}
_ROLE_OPTIONS = ("role", "user", "schema", "database", "warehouse", "network", "harden")


def add_grants(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``grants``."""
    parser.add_argument("dialect", metavar="DIALECT", help="snowflake, postgres, redshift, bigquery, …")
    parser.add_argument("--role", default="elementary_reader", help="the role to create (default: elementary_reader)")
    parser.add_argument("--user", default="elementary_airflow", help="the user to create (default: elementary_airflow)")
    parser.add_argument("--schema", default="elementary", help="the Elementary schema (default: elementary)")
    parser.add_argument("--database", help="database, catalog or project of the schema")
    parser.add_argument("--dbt-role", help="the role that dbt connects with: its future tables stay readable")
    parser.add_argument("--warehouse", help="Snowflake: the virtual warehouse for the queries; Athena: the workgroup")
    add_user_options(parser)
    parser.add_argument(
        "--harden",
        action="store_true",
        help="also take from PUBLIC what the reader would hold through it: this changes rights of others",
    )
    add_json(parser, "print the statements as a list")
    parser.set_defaults(command=print_grants)


def add_check_access(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``check-access``."""
    add_conn_id(parser)
    parser.add_argument("--schema", help="the Elementary schema (default: the connection's)")
    parser.add_argument("--database", help="its database (default: the connection's)")
    parser.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="TABLE",
        help="a canary table that must be unreadable; may be repeated",
    )
    parser.add_argument(
        "--accept-unknown", action="append", default=[], metavar="CHECK", help="a check that may stay unknown"
    )
    parser.add_argument(
        "--accept-failed",
        action="append",
        default=[],
        metavar="CHECK=REASON",
        help="a check whose failure was accepted, and why: it becomes a warning",
    )
    parser.add_argument("--format", choices=("table", "markdown"), default="table", help="how to print the report")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(command=check)


def print_grants(arguments: argparse.Namespace) -> None:
    """Print the statements, for the warehouse's own shell."""
    from airflow_provider_elementary.access import grants

    print_statements(arguments, partial(grants, dbt_role=arguments.dbt_role))


def print_statements(arguments: argparse.Namespace, create: Callable[..., list[str]]) -> None:
    """Print the statements that a function creates from the options of a new role."""
    with usage():
        public_key = _read_key(arguments.public_key) if arguments.public_key else None
        options = {name: getattr(arguments, name) for name in _ROLE_OPTIONS}
        statements = create(arguments.dialect, public_key=public_key, **options)
    if arguments.json:
        print_json(statements)
    else:
        print("\n\n".join(statements))


def check(arguments: argparse.Namespace) -> int:
    """Print the access report of the connection.

    :return: 0 if every check passes, 1 if one fails, 3 if none fails and one is unknown.
    """
    require_checks(arguments.accept_unknown)
    reasons = _reasons(arguments.accept_failed)
    enable_metadata_db_connections()
    from airflow_provider_elementary.hooks.elementary import ElementaryHook

    hook = ElementaryHook(arguments.conn_id, arguments.schema, arguments.database)
    with hook.source() as source:
        require_probes(arguments.probe, source)
        report = hook.check(source, arguments.probe, reasons)
    show = _show_markdown if arguments.format == "markdown" else _show_table
    return print_report(arguments, report, hook.accept_unknown, show)


def print_report(
    arguments: argparse.Namespace,
    report: AccessReport,
    accepted: Sequence[str],
    show: Callable[[AccessReport], None] | None = None,
) -> int:
    """Print a report, as JSON if that was asked for, and return the exit status.

    :param accepted: checks that the connection lets stay unknown.
    :param show: prints it for people; as a table by default.
    """
    status = FINE
    try:
        report.require([*arguments.accept_unknown, *accepted])
    except AccessDeniedError as error:
        # The report shows the failed checks.
        status = failure(error)[0]
    if arguments.json:
        print_json(report.to_dict())
    else:
        (show or _show_table)(report)
    return status


def require_checks(names: Sequence[str]) -> None:
    """Stop if there is no access check of a name."""
    from airflow_provider_elementary.access.check.report import CHECKS

    if wrong := sorted(set(names) - CHECKS.keys()):
        raise UsageError(
            f"There is no access check {', '.join(map(repr, wrong))} to accept. The checks are: {', '.join(CHECKS)}."
        )


def require_probes(probes: Sequence[str], source: WarehouseSource) -> None:
    """Stop if a probe is not a table outside the Elementary schema."""
    from airflow_provider_elementary.access.check.canaries import resolve_probe

    warehouse = source.warehouse
    with usage():
        for probe in probes:
            resolve_probe(probe, warehouse.dialect, warehouse.schema, warehouse.database)


def _rows(report: AccessReport) -> list[list[str]]:
    """Return the checks with their evidence, those that need attention first."""
    ordered = sorted(report.findings, key=lambda finding: list(_COLOURS).index(finding.status))
    return [
        [
            finding.name,
            finding.status,
            "\n".join(
                [
                    finding.evidence,
                    *([f"Accepted: {finding.accepted}"] if finding.accepted else []),
                    *([f"Fix: {finding.remediation}"] if finding.remediation else []),
                ]
            ),
        ]
        for finding in ordered
    ]


def _show_table(report: AccessReport) -> None:
    """Print the report as a table."""
    print_table(("check", "status", "evidence"), _rows(report), title=_title(report), colours=_COLOURS)
    print(report.headline)


def _show_markdown(report: AccessReport) -> None:
    """Print the report for a pull request or a ticket."""

    def cell(text: str) -> str:
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")

    print(f"## Access of {cell(_title(report))}\n\n{report.headline}; checked {report.checked_at:%Y-%m-%d %H:%M} UTC\n")
    print("| check | status | evidence |\n|---|---|---|")
    for row in _rows(report):
        print(f"| {' | '.join(map(cell, row))} |")


def _title(report: AccessReport) -> str:
    place = ".".join(part for part in (report.database, report.schema) if part)
    return f"{report.user} on {report.dialect}, {place}"


def _reasons(arguments: Sequence[str]) -> dict[str, str]:
    reasons = dict(argument.partition("=")[::2] for argument in arguments)
    require_checks([name.split(": ")[0] for name in reasons])
    if silent := sorted(name for name, reason in reasons.items() if not reason.strip()):
        raise UsageError(f"--accept-failed gives no reason for {', '.join(silent)}. Write CHECK=REASON.")
    return reasons


def _read_key(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The public key file {path} cannot be read ({type(error).__name__}).") from None
