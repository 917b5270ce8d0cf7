"""Base of the operators that decide what a snapshot takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.links.elementary import ElementaryManifestLink, ElementaryPageLink
from airflow_provider_elementary.operators.access_gate import require_access
from airflow_provider_elementary.operators.base import ElementaryStoreOperator
from airflow_provider_elementary.operators.stats import report_snapshot
from airflow_provider_elementary.snapshots.policy import POLICY_NAMES

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.snapshots.policy.choices import ResolvedPolicy
    from airflow_provider_elementary.snapshots.take import TakenSnapshot
    from airflow_provider_elementary.warehouses.source import WarehouseSource


class ElementarySnapshotBaseOperator(ElementaryStoreOperator):
    """Base of the operators that decide what a snapshot takes.

    :param elementary_conn_id: the connection of the warehouse. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database of the schema. (templated)
    :param categories: the categories to include, out of those that the connection allows. (templated)
    :param failed_rows_per_test: maximum sample rows per failed test (0 = none). (templated)
    :param failed_rows_days: sample rows older than this many days are excluded. (templated)
    :param failed_rows_excluded_tables: further tables whose sample rows are excluded, by full name or by the unique id
        of the dbt model, in upper or lower case. (templated)
    :param masked_columns: further ``table.column`` to mask; dbt vars are always masked. (templated)
    :param hashed_columns: further ``table.column`` whose values are replaced by a keyed hash, as in
        ``data_monitoring_metrics.dimension_value``. (templated)
    :param dropped_columns: further ``table.column`` that are not read. (templated)
    :param without_raw_values: exclude all that may be, or quote, a value of a monitored table: sample rows, database
        errors, query text, metrics of single rows; dimension values are hashed. The other arguments may exclude more.
        (templated)
    :param full_every_days: maximum days between full snapshots, which read everything; 0: each one is full. (templated)
    :param audit_days: earlier days that each sync reads again and compares, other days each time. (templated)
    :param overlap: rows at most this much older than the newest are read again, for late commits.
    :param commit_timeout: age after which the rows of an unfinished dbt run are included as they are.
    :param accept_unknown: further access checks that may stay unknown, beside those of the connection. (templated)
    :param probes: canary tables outside the schema, which must be unreadable. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "elementary_conn_id",
        "schema",
        "database",
        *POLICY_NAMES,
        "accept_unknown",
        "probes",
    )
    operator_extra_links = (ElementaryPageLink(), ElementaryManifestLink())
    ui_color = "#d7e4f7"

    def __init__(
        self,
        *,
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        categories: Sequence[str] | None = None,
        failed_rows_per_test: int | str | None = None,
        failed_rows_days: int | str | None = None,
        failed_rows_excluded_tables: Sequence[str] | None = None,
        masked_columns: Sequence[str] | None = None,
        hashed_columns: Sequence[str] | None = None,
        dropped_columns: Sequence[str] | None = None,
        without_raw_values: bool | str | None = None,
        full_every_days: float | str | None = None,
        audit_days: int | str | None = None,
        overlap: timedelta = timedelta(hours=1),
        commit_timeout: timedelta = timedelta(hours=6),
        accept_unknown: Sequence[str] | None = None,
        probes: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.categories = categories
        self.failed_rows_per_test = failed_rows_per_test
        self.failed_rows_days = failed_rows_days
        self.failed_rows_excluded_tables = failed_rows_excluded_tables
        self.masked_columns = masked_columns
        self.hashed_columns = hashed_columns
        self.dropped_columns = dropped_columns
        self.without_raw_values = without_raw_values
        self.full_every_days = full_every_days
        self.audit_days = audit_days
        self.overlap = overlap
        self.commit_timeout = commit_timeout
        self.accept_unknown = accept_unknown
        self.probes = probes
        #: What :meth:`execute` returned, for the task's links.
        self.summary: dict[str, Any] | None = None
        self._read_from: dict[str, Any] = {}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return which tables were read and where the manifest is."""
        from airflow_provider_elementary.operators.openlineage import lineage_of_snapshot

        return lineage_of_snapshot(self.summary, self._read_from) if self.summary else None

    def _finish(self, context: Context, taken: TakenSnapshot) -> dict[str, Any]:
        """Log a snapshot, emit its events, and return the summary of its manifest."""
        self._log(taken)
        self.summary, self._read_from = taken.summary, dict(taken.manifest.source)
        for asset in self.outlets or ():
            context["outlet_events"][asset].extra = taken.summary
        report_snapshot(self, context, taken.manifest, len(taken.summary["problems"]))
        return taken.summary

    def _resolve_policy(self) -> ResolvedPolicy:
        from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices

        asked = {name: getattr(self, name) for name in POLICY_NAMES}
        policy = self.store_hook.resolve_policy(PolicyChoices.parse(asked, f"task {self.task_id}"))
        self.log.info("policy from %s", policy.describe())
        return policy

    @cached_property
    def elementary_hook(self) -> ElementaryHook:
        """The hook of the warehouse's connection."""
        return hook_of(self)

    @contextmanager
    def _open_checked(self, run: str) -> Iterator[tuple[WarehouseSource, AccessReport]]:
        """Open the warehouse, after its access check.

        :param run: the key of this task instance.
        """
        hook = self.elementary_hook
        with hook.source() as source:
            report = require_access(
                hook, source, self.accept_unknown, self.probes, lambda refused: self._record(refused, run)
            )
            self._record(report, run, is_refused=False)
            yield source, report

    def _record(self, report: AccessReport, run: str, *, is_refused: bool = True) -> None:
        """Store a report that stops the sync, and the first one after it: page and incidents read the store."""
        from airflow_provider_elementary.storage.records.report_log import is_worth_recording, record

        subject = ".".join(part for part in (self.elementary_conn_id, self.database, self.schema) if part)
        try:
            if is_refused or is_worth_recording(self.repository, report, subject):
                record(self.repository, report, subject=subject, run_key=run)
        except ElementaryError as error:
            # A store that is away, or a key that may not sign: the check's own error is the one to raise.
            self.log.warning("could not store the access report: %s", error)

    def _log(self, taken: TakenSnapshot) -> None:
        for line in taken.lines:
            self.log.log(logging.WARNING if line in taken.summary["problems"] else logging.INFO, line)


class _Session(Protocol):
    """An operator that opens a warehouse."""

    elementary_conn_id: str
    schema: str | None
    database: str | None


def hook_of(operator: _Session) -> ElementaryHook:
    """Return the hook of an operator's warehouse; a form's empty field names nothing."""
    from airflow_provider_elementary.hooks.elementary import ElementaryHook

    return ElementaryHook(operator.elementary_conn_id, operator.schema or None, operator.database or None)
