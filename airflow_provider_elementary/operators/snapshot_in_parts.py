"""Operators that take one snapshot in tasks of several workers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context
from airflow.sdk import TaskGroup

from airflow_provider_elementary.operators.access_gate import require_access
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    log_group,
    newest_inlet_anchor,
    recording_failed_sync,
    run_after,
    templated_number,
)
from airflow_provider_elementary.operators.snapshot_base import ElementarySnapshotBaseOperator, hook_of
from airflow_provider_elementary.snapshots import ROWS_PER_PART
from airflow_provider_elementary.snapshots.policy import POLICY_NAMES

if TYPE_CHECKING:
    from airflow_provider_elementary.warehouses.source import WarehouseSource

#: What only the plan and the commit decide.
_DECISIONS = frozenset({*POLICY_NAMES, "overlap", "commit_timeout", "inlets", "outlets"})


def elementary_snapshot_group(
    group_id: str = "snapshot",
    *,
    rows_per_part: int | str = ROWS_PER_PART,
    capture_args: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> TaskGroup:
    """Take a snapshot in three steps that share the work among workers: ``plan >> capture.expand(part=...) >> commit``.

    A full snapshot reads tables with more than ``rows_per_part`` rows in ranges, each in a task of its own. What is new
    since the snapshot before is one part. The commit returns what :class:`ElementarySnapshotOperator` returns.

    :param group_id: of the task group.
    :param rows_per_part: tables with more rows are read in ranges; at most 64 parts are made. (templated)
    :param capture_args: arguments for the tasks of the parts alone, as ``queue``, ``pool`` or
        ``max_active_tis_per_dagrun``.
    :param kwargs: arguments of :class:`ElementarySnapshotOperator`, for each of the tasks that uses them.
    """
    with TaskGroup(group_id) as group:
        shared = {**kwargs, "capture_id": group.group_id}
        session = {name: value for name, value in shared.items() if name not in _DECISIONS}
        plan = ElementaryPlanSnapshotOperator(
            task_id="plan",
            rows_per_part=rows_per_part,
            **{name: value for name, value in shared.items() if name != "outlets"},
        )
        parts: Any = plan.output
        capture = ElementaryCapturePartOperator.partial(
            task_id="capture", **{**session, **(capture_args or {})}
        ).expand(part=parts)
        commit = ElementaryCommitSnapshotOperator(task_id="commit", parts=parts, **shared)
        plan >> capture >> commit
    return group


class ElementaryPlanSnapshotOperator(ElementarySnapshotBaseOperator):
    """Decides what a snapshot consists of, and stores it as a signed plan; the first task of a snapshot in parts.

    It returns the name and hash of the plan with the number of each part, and no secret: the data keys are in the plan,
    wrapped. A run whose snapshot is committed gets its own plan again.

    :param rows_per_part: a full snapshot reads tables with more rows in ranges. (templated)
    :param capture_id: what plan, parts and commit of one snapshot have in common, and no other in their DAG.
    """

    template_fields: Sequence[str] = (*ElementarySnapshotBaseOperator.template_fields, "rows_per_part")

    def __init__(
        self, *, rows_per_part: int | str = ROWS_PER_PART, capture_id: str = "snapshot", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rows_per_part = rows_per_part
        self.capture_id = capture_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Check access, decide, and return a reference for each part; there is at least one."""
        from airflow_provider_elementary.snapshots.take import plan_in_parts

        run = _run_key(context, self.capture_id)
        with clear_failures(), recording_failed_sync(self, context, run):
            policy = self._resolve_policy()
            anchor = newest_inlet_anchor(self, context)
            with self._open_checked(run) as (source, access):
                references = plan_in_parts(
                    source,
                    self.repository,
                    policy,
                    access=access.to_dict(),
                    anchor=anchor,
                    run_key=run,
                    run_after=run_after(context),
                    overlap=self.overlap,
                    commit_timeout=self.commit_timeout,
                    rows_per_part=templated_number(self, "rows_per_part"),
                )
        return [reference.to_dict() for reference in references]


class ElementaryCapturePartOperator(ElementaryStoreOperator):
    """Reads and encrypts one part of a planned snapshot, after its own access check.

    An attempt after one that ended reads the part again; nothing counts before the commit. Where the plan does not fit
    the warehouse any more, the part is left to the commit and its summary says why.

    :param part: the reference that the plan's task returned for this part. (templated)
    :param elementary_conn_id: the connection of the warehouse. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database of the schema. (templated)
    :param accept_unknown: further access checks that may stay unknown. (templated)
    :param probes: canary tables outside the schema, which must be unreadable. (templated)
    :param capture_id: as of the plan.
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "part",
        "elementary_conn_id",
        "schema",
        "database",
        "accept_unknown",
        "probes",
    )
    ui_color = "#d7e4f7"

    def __init__(
        self,
        *,
        part: Mapping[str, Any],
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        accept_unknown: Sequence[str] | None = None,
        probes: Sequence[str] | None = None,
        capture_id: str = "snapshot",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.part = part
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.accept_unknown = accept_unknown
        self.probes = probes
        self.capture_id = capture_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Capture the part, and return how it ended and what was written."""
        from airflow_provider_elementary.snapshots.parts import PartReference, capture_part

        run = _run_key(context, self.capture_id)
        with (
            clear_failures(),
            recording_failed_sync(self, context, run),
            log_group(self.log, "Table by table"),
        ):
            summary = capture_part(
                self._open_source,
                self.repository,
                PartReference.parse(self.part),
                run_key=run,
                run_after=run_after(context),
                attempt=_attempt(context),
            )
        return summary.to_dict()

    @contextmanager
    def _open_source(self) -> Iterator[WarehouseSource]:
        hook = hook_of(self)
        with hook.source() as source:
            require_access(hook, source, self.accept_unknown, self.probes)
            yield source


class ElementaryCommitSnapshotOperator(ElementarySnapshotBaseOperator):
    """Commits the parts of a snapshot in one manifest; the last task of a snapshot in parts.

    It captures a part itself that no task captured or whose files are gone. Where the plan is older than 24 hours, or
    does not fit the warehouse or the store any more, it takes the snapshot as :class:`ElementarySnapshotOperator` does.

    :param parts: what the plan's task returned. (templated)
    :param capture_id: as of the plan.
    """

    template_fields: Sequence[str] = (*ElementarySnapshotBaseOperator.template_fields, "parts")

    def __init__(self, *, parts: Sequence[Mapping[str, Any]], capture_id: str = "snapshot", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts
        self.capture_id = capture_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Commit, and return a summary of the manifest."""
        from airflow_provider_elementary.snapshots.parts import PartReference
        from airflow_provider_elementary.snapshots.take import commit_in_parts

        run = _run_key(context, self.capture_id)
        with clear_failures(), recording_failed_sync(self, context, run):
            taken = commit_in_parts(
                partial(self._open_checked, run),
                self.repository,
                self._resolve_policy(),
                PartReference.parse(next(iter(self.parts or ()), None)),
                anchor=newest_inlet_anchor(self, context),
                run_key=run,
                run_after=run_after(context),
                attempt=_attempt(context),
                overlap=self.overlap,
                commit_timeout=self.commit_timeout,
            )
        return self._finish(context, taken)


def _run_key(context: Context, capture_id: str) -> str:
    """Return what the tasks of one snapshot have in common: the same over retries and clears of one DAG run."""
    instance = context["ti"]
    return f"{instance.dag_id}/{instance.run_id}/{capture_id}"


def _attempt(context: Context) -> str:
    """Return what distinguishes this attempt from all others, also from one that Airflow lost and that still runs."""
    return f"{context['ti'].try_number}-{os.urandom(4).hex()}"
