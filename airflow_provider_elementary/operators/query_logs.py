"""The operator that stores a warehouse's query history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.access_gate import log_access
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    is_true,
    real_number,
    require_no_loss,
    returned_before,
    run_key,
    templated_number,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.query_logs import ElementaryQueryLogHook
    from airflow_provider_elementary.query_history import HistoryUpdate
    from airflow_provider_elementary.warehouses.warehouse import Warehouse


class ElementaryQueryLogOperator(ElementaryStoreOperator):
    """Stores which queries ran since the run before: who, when, how long, which tables; off unless a DAG has it.

    Reads the warehouse's own history through a second connection, whose role may read nothing else; the access check
    stops the task otherwise. The rows are encrypted with the key of the category Query logs.

    :param history_conn_id: the second connection. (templated)
    :param elementary_conn_id: the sync's connection, to refuse that both are of one user. (templated)
    :param schema: the schema that the grants of the history created; on BigQuery the region. (templated)
    :param database: what holds it. (templated)
    :param include_text: keep the text of statements, without literals and comments. (templated)
    :param include_users: keep the names of users; without it, a pseudonym in place of each. (templated)
    :param first_days: how many days the first run looks back. (templated)
    :param days: how many days rows are kept. (templated)
    :param accept_unknown: names of access checks that may stay unknown. (templated)
    :param probes: canary tables that must be unreadable. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "history_conn_id",
        "elementary_conn_id",
        "schema",
        "database",
        "include_text",
        "include_users",
        "first_days",
        "days",
        "accept_unknown",
        "probes",
    )
    ui_color = "#e4dcf5"

    def __init__(
        self,
        *,
        history_conn_id: str,
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        include_text: bool | str = False,
        include_users: bool | str = False,
        first_days: float | str = 1,
        days: int | str = 30,
        accept_unknown: Sequence[str] = (),
        probes: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.history_conn_id = history_conn_id
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.include_text = include_text
        self.include_users = include_users
        self.first_days = first_days
        self.days = days
        self.accept_unknown = accept_unknown
        self.probes = probes

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the role, store what is new, and return where."""
        from airflow_provider_elementary.hooks.query_logs import ElementaryQueryLogHook
        from airflow_provider_elementary.query_history.schema import KIND
        from airflow_provider_elementary.storage.records.results import recorded_result

        with clear_failures():
            hook = ElementaryQueryLogHook(self.history_conn_id, self.schema or None, self.database or None)
            hook.require_other_login(self.elementary_conn_id)
            anchor = returned_before(context).get("query_history_anchor")
            with hook.session() as session:
                self._require_access(hook, session)
                known, lost = recorded_result(self.repository, KIND, self.history_conn_id, anchor)
                found = self._update(session, run_key(context), known)
            returned = self._in_short(found, self._notes(found, run_key(context)))
            require_no_loss(context, lost, returned)
        return returned

    def _in_short(self, found: HistoryUpdate, notes: list[str]) -> dict[str, Any]:
        from airflow_provider_elementary.storage.records.results import anchor_result

        return {
            "query_history": found.result.key,
            "read": found.read,
            "new": found.new,
            "rows": found.rows,
            "is_behind": found.is_behind,
            "notes": notes,
            "query_history_anchor": anchor_result(self.repository, found.result),
        }

    def _notes(self, found: HistoryUpdate, key: str) -> list[str]:
        """Store the sums that the page shows, and return and log what is not known."""
        from airflow_provider_elementary.exceptions import KeyUnavailableError
        from airflow_provider_elementary.query_history.stored_usage import update_usage

        notes = list(found.notes)
        try:
            update_usage(self.repository, found.result, run_key=key)
        except KeyUnavailableError as error:
            notes.append(f"The page does not show usage and cost: {error}")
        for note in notes:
            self.log.warning("%s", note)
        return notes

    def _require_access(self, hook: ElementaryQueryLogHook, session: Warehouse) -> None:
        report = hook.check_history(session, self.probes or ())
        log_access(self.log, f"access of {self.history_conn_id}, which is wider than the sync's", report)
        report.require([*(self.accept_unknown or ()), *hook.accept_unknown])

    def _update(self, session: Warehouse, key: str, known: int) -> HistoryUpdate:
        from airflow_provider_elementary.query_history import HistoryLimits, HistoryPolicy, update_query_history

        return update_query_history(
            self.repository,
            session,
            connection=self.history_conn_id,
            run_key=key,
            policy=HistoryPolicy(is_true(self.include_text), is_true(self.include_users)),
            limits=HistoryLimits(first_days=real_number(self, "first_days"), days=templated_number(self, "days")),
            known=known,
        )
