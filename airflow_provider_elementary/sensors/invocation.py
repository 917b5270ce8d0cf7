"""The sensor that waits for a dbt invocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, Context, PokeReturnValue, conf

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.operators.access_gate import require_access
from airflow_provider_elementary.operators.base import ElementaryFailException, clear_failures
from airflow_provider_elementary.timeouts import break_off_all

if TYPE_CHECKING:
    from airflow_provider_elementary.triggers.invocation import ElementaryInvocationTrigger


#: What the trigger gets as it is.
_PASSED_ON = (
    *("elementary_conn_id", "schema", "database", "accept_unknown"),
    *("project_name", "command", "target_name", "env", "job_name"),
)


class ElementaryInvocationSensor(BaseSensorOperator):
    """Waits until dbt has run and Elementary has written all of its rows; returns the invocation.

    Checks first that the connection can read the Elementary schema and nothing else.

    :param elementary_conn_id: the connection of the warehouse. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database that holds it. (templated)
    :param project_name: only invocations of this dbt project. (templated)
    :param command: only invocations of this command, as in ``build``. (templated)
    :param target_name: only invocations with this target of dbt's profile. (templated)
    :param env: only invocations in this environment of Elementary's. (templated)
    :param job_name: only invocations of this job. (templated)
    :param since: only invocations that ended at this time or later: ISO 8601, UTC if it has no zone; by default the
        start of the run's data interval, or the time for which the run was planned. (templated)
    :param accept_unknown: names of access checks that may stay unknown. (templated)
    :param deferrable: wait in the triggerer, without a worker (default: ``[operators] default_deferrable``).
    :param poke_interval: seconds between two polls; each may start a suspended warehouse.
    """

    template_fields: Sequence[str] = (*_PASSED_ON, "since")
    ui_color = "#e6def7"

    def __init__(
        self,
        *,
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        project_name: str | None = None,
        command: str | None = None,
        target_name: str | None = None,
        env: str | None = None,
        job_name: str | None = None,
        since: str | datetime | None = None,
        accept_unknown: Sequence[str] = (),
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: timedelta | float = 300,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.project_name = project_name
        self.command = command
        self.target_name = target_name
        self.env = env
        self.job_name = job_name
        self.since = since
        self.accept_unknown = accept_unknown
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Poll once, then wait; return the invocation: ``invocation_id``, its times, and what it ran."""
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if found:
            return found.xcom_value
        self.defer(
            trigger=self._trigger(context),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _trigger(self, context: Context) -> ElementaryInvocationTrigger:
        from airflow_provider_elementary.triggers.invocation import ElementaryInvocationTrigger

        passed_on = {name: getattr(self, name) for name in _PASSED_ON}
        return ElementaryInvocationTrigger(**passed_on, since=self._since(context), poll_interval=self.poke_interval)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll for the invocation."""
        from airflow_provider_elementary.hooks.elementary import ElementaryHook
        from airflow_provider_elementary.invocations import InvocationFilter, newest_since, parse_time

        wanted = InvocationFilter(self.project_name, self.command, self.target_name, self.env, self.job_name)
        with clear_failures():
            since = parse_time(self._since(context))
            hook = ElementaryHook(self.elementary_conn_id, self.schema or None, self.database or None)
            with hook.source() as source:
                require_access(hook, source, self.accept_unknown)
                found = newest_since(source, since, wanted)
        self.log.info(
            "found %s since %s", f"dbt invocation {found.invocation_id}" if found else "no dbt invocation", since
        )
        return PokeReturnValue(is_done=found is not None, xcom_value=found.to_dict() if found else None)

    def on_kill(self) -> None:
        """Cancel the running query: Airflow is about to end the process."""
        break_off_all()

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the invocation that the trigger found, or fail with its error."""
        if event["status"] == "success":
            return dict(event["invocation"])
        if event["permanent"]:
            raise ElementaryFailException(event["message"])
        raise WarehouseError(event["message"])

    def _since(self, context: Context) -> str:
        """Return the time in ISO 8601; asset-triggered and manual runs have no data interval."""
        run = context["dag_run"]
        since = self.since or run.data_interval_start or run.run_after
        return since.isoformat() if isinstance(since, datetime) else str(since)
