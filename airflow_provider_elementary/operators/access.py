"""The operator that proves what a connection may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from airflow_provider_elementary.operators.base import clear_failures


class ElementaryAccessCheckOperator(BaseOperator):
    """Proves that a connection can read the Elementary schema and nothing else; fails the task otherwise.

    :param elementary_conn_id: the connection. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database that holds it. (templated)
    :param probes: relations outside the schema that the role must be refused, as ``schema.table``. (templated)
    :param accept_unknown: names of checks that may stay unknown; a failed check always stops. (templated)
    """

    template_fields: Sequence[str] = ("elementary_conn_id", "schema", "database", "probes", "accept_unknown")
    ui_color = "#d5f0e3"

    def __init__(
        self,
        *,
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        probes: Sequence[str] = (),
        accept_unknown: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.probes = probes
        self.accept_unknown = accept_unknown

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the checks, log each, and return the report."""
        from airflow_provider_elementary.hooks.elementary import ElementaryHook

        with clear_failures():
            hook = ElementaryHook(self.elementary_conn_id, self.schema or None, self.database or None)
            report = hook.check_access(self.probes)
            for finding in report.findings:
                self.log.info("%-7s %s: %s", finding.status, finding.name, finding.evidence)
            report.require(self.accept_unknown)
            return report.to_dict()
