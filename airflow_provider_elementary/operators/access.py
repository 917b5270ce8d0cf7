"""The operator that checks what a connection can access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.exceptions import AccessDeniedError, ElementaryError
from airflow_provider_elementary.links.elementary import ElementaryPageLink
from airflow_provider_elementary.operators.access_gate import log_access
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    log_group,
    recording_failed_sync,
    require_no_loss,
    returned_before,
    run_key,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.hooks.elementary import ElementaryHook


class ElementaryAccessCheckOperator(ElementaryStoreOperator):
    """Checks that a connection can read the Elementary schema and nothing else; fails the task otherwise.

    Downstream tasks check their own sessions too: this task fails first, and stores the report.

    With a ``store_conn_id``, each report is stored, also one that fails, and compared with the previous one: what
    appeared and what is gone is logged, returned as ``drift``, and sent with the Asset event of the task's outlets.

    :param elementary_conn_id: the connection. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database of the schema. (templated)
    :param probes: canary tables outside the schema, as ``schema.table``, which must be unreadable. (templated)
    :param accept_unknown: names of checks that may stay unknown. (templated)
    :param accept_failed: why failed checks are accepted, by name; the report keeps each as a warning, with the reason.
        (templated)
    :param store_conn_id: the store of the reports; without it, none are stored. They are not encrypted: a report holds
        names of roles and tables, no rows. (templated)
    :param guards_sync: the task runs before each sync. Of its reports, only those with a failed check are stored and
        the first after them, as stored reports are never removed; and that it fails is recorded as a failed sync.
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "elementary_conn_id",
        "schema",
        "database",
        "probes",
        "accept_unknown",
        "accept_failed",
    )
    operator_extra_links = (ElementaryPageLink(),)
    ui_color = "#d5f0e3"

    def __init__(
        self,
        *,
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        probes: Sequence[str] = (),
        accept_unknown: Sequence[str] = (),
        accept_failed: Mapping[str, str] | None = None,
        store_conn_id: str | None = None,
        guards_sync: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(store_conn_id=store_conn_id, **kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.probes = probes
        self.accept_unknown = accept_unknown
        self.accept_failed = accept_failed
        self.guards_sync = guards_sync

    def execute(self, context: Context) -> dict[str, Any]:
        """Run and log the checks, store the report, and return it; raise last, when everything is recorded."""
        recording = self.guards_sync and self.store_conn_id
        failed = recording_failed_sync(self, context, run_key(context)) if recording else nullcontext()
        with clear_failures(), failed:
            report = self._check()
            drift, lost = self._stored(context, report) if self.store_conn_id else (None, None)
            returned = {**report.to_dict(), "drift": drift}
            require_no_loss(context, lost, returned)
            try:
                report.require([*(self.accept_unknown or ()), *self._hook.accept_unknown])
            except AccessDeniedError:
                # A task that fails returns nothing, and the next run is to know of this report.
                context["ti"].xcom_push(key="return_value", value=returned)
                raise
        facts = {"elementary_conn_id": self.elementary_conn_id, "checked_at": report.checked_at.isoformat()}
        for asset in self.outlets or ():
            context["outlet_events"][asset].extra = {**facts, "drift": drift}
        return returned

    @cached_property
    def _hook(self) -> ElementaryHook:
        from airflow_provider_elementary.hooks.elementary import ElementaryHook

        return ElementaryHook(self.elementary_conn_id, self.schema or None, self.database or None)

    def _check(self) -> AccessReport:
        with self._hook.source() as source:
            report = self._hook.check(source, self.probes or (), self.accept_failed)
        self._log(report)
        return report

    def _log(self, report: AccessReport) -> None:
        """Fold the checks that pass; log those accepted as unknown; the error names the failed ones."""
        with log_group(self.log, f"{len(report.passed)} of {report.applicable} checks pass"):
            for finding in report.findings:
                if finding.status in ("pass", "not applicable"):
                    self.log.info("%s %s: %s", finding.status, finding.name, finding.evidence)
        for finding in report.unknown:
            if finding.name in self.accept_unknown:
                self.log.warning("accepted as unknown: %s: %s", finding.name, finding.evidence)
        log_access(self.log, f"access check of {self.elementary_conn_id}", report)

    def _stored(self, context: Context, report: AccessReport) -> tuple[dict[str, Any] | None, str | None]:
        """Store the report as the task was asked to, and return what changed and what was lost since the one before."""
        from airflow_provider_elementary.storage.records.report_log import is_worth_recording

        subject = ".".join(part for part in (self.elementary_conn_id, self.database, self.schema) if part)
        if not self.guards_sync:
            return self._record(context, report, subject)
        try:
            if is_worth_recording(self.repository, report, subject):
                return self._record(context, report, subject)
        except ElementaryError as error:
            # The tasks that need the store fail of it; this one is about the warehouse.
            self.log.warning("could not store the access report: %s", error)
        return None, None

    def _record(self, context: Context, report: AccessReport, subject: str) -> tuple[dict[str, Any], str | None]:
        from airflow_provider_elementary.storage.records.report_log import record

        before = returned_before(context).get("drift")
        anchor = before.get("anchor") if isinstance(before, dict) else None
        recorded = record(self.repository, report, subject=subject, run_key=run_key(context), anchor=anchor)
        if recorded.previous is None:
            self.log.info(
                "stored the first report of %s in %s; there is none to compare with", subject, self.repository.uri
            )
        for sign, facts in (("appeared", recorded.drift.appeared), ("gone", recorded.drift.gone)):
            for fact in facts:
                self.log.warning("%s since %s: %s", sign, recorded.to_dict()["since"], fact)
        return recorded.to_dict(), recorded.lost
