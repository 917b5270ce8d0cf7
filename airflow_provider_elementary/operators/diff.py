"""The operator that compares two snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import ElementaryStoreOperator, clear_failures

_RETURNED = 50
#: Names of people stay out of XCom, which Airflow keeps in plain.
_PERSONAL = frozenset({"owner"})


class ElementaryDiffSnapshotsOperator(ElementaryStoreOperator):
    """Compares two snapshots: which models, tests, sources, columns, owners and tags appeared, changed or vanished.

    :param before: the first: ``latest``, a snapshot's id, or a time (ISO 8601). (templated)
    :param after: the second. (templated)
    """

    template_fields: Sequence[str] = (*ElementaryStoreOperator.template_fields, "before", "after")
    ui_color = "#f5f0d0"

    def __init__(self, *, before: str, after: str = "latest", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before = before
        self.after = after

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, log every change, and return counts and the first names; no values and no owners."""
        with clear_failures():
            report = self.repository.diff(self.before, self.after)
        changes = [
            {"kind": change.kind, "name": change.name, "direction": change.direction, "fields": list(change.fields)}
            for change in report.changes
            if change.kind not in _PERSONAL
        ]
        for change in changes:
            self.log.info("%(kind)s %(name)s %(direction)s %(fields)s", change)
        return {**report.to_dict(), "changes": changes[:_RETURNED]}
