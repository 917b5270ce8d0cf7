"""Base classes and helpers of the operators."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    SnapshotCorruptError,
    UnprovedError,
)
from airflow_provider_elementary.hooks.store import DEFAULT_STORE, ElementaryStoreHook
from airflow_provider_elementary.operators.access_gate import require_access
from airflow_provider_elementary.timeouts import break_off_all

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.source import Source

_EVENTS_READ = 50
_log = logging.getLogger(__name__)


class ElementaryFailException(AirflowFailException, ElementaryError):
    """An error of this package that no retry can fix: Airflow fails the task without a retry."""


class clear_failures:
    """Raises errors that no retry can fix as :class:`ElementaryFailException`, and shortens tracebacks.

    Airflow logs an error once, with its traceback. For errors of this package the message is enough: they are raised
    without the frames below and without their cause, which are logged at level DEBUG.
    """

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise an error of this package again, without its cause."""
        if not isinstance(error, ElementaryError):
            return
        _log.debug("raised by", exc_info=error)
        if error.permanent and not isinstance(error, AirflowFailException):
            raise ElementaryFailException(str(error)) from None
        raise error.with_traceback(None) from None


@contextmanager
def log_group(log: Any, title: str) -> Iterator[None]:
    """Fold the log lines of the block under a title, in Airflow's log view."""
    log.info("::group::%s", title)
    try:
        yield
    finally:
        log.info("::endgroup::")


def run_key(context: Context) -> str:
    """Return the key of a task instance: the same over retries and clears of one DAG run."""
    instance = context["ti"]
    return f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"


def run_after(context: Context) -> datetime | None:
    """Return the time before which no attempt of the DAG run began; None where the operator is run without one."""
    return getattr(context.get("dag_run"), "run_after", None)


def task_series(context: Context) -> str:
    """Return what identifies a task from run to run."""
    return f"{context['ti'].dag_id}/{context['ti'].task_id}"


def one_task(operator: ElementaryStoreOperator, context: Context) -> AbstractContextManager[None]:
    """Return in what a task, or one of its shards, asks the store once for what it reads several times."""
    return operator.repository.one_task(f"{task_series(context)}/{context['ti'].map_index}")


def returned_before(context: Context) -> dict[str, Any]:
    """Return what the task returned in the DAG run before, or in the last successful one; nothing where it did not."""
    instance = context["ti"]
    for state in (None, "success"):
        if (run := instance.get_previous_dagrun(state)) is not None:
            place = instance.map_index
            # Without map_indexes a mapped task gets all, closed up where one returned nothing. A task that is not
            # mapped does not give them: to ask for one that is not there is logged as an error.
            mine: dict[str, Any] = {"map_indexes": place} if place is not None and place >= 0 else {}
            found = instance.xcom_pull(task_ids=instance.task_id, run_id=run.run_id, **mine)
            if isinstance(found, dict):
                return found
    return {}


def require_no_loss(context: Context, lost: str | None, returned: Mapping[str, Any]) -> None:
    """Fail a task whose saved state in the store was rolled back; its return value is kept, and the next run continues.

    :raises SnapshotCorruptError: something was lost.
    """
    if lost is not None:
        context["ti"].xcom_push(key="return_value", value=dict(returned))
        raise SnapshotCorruptError(lost)


@contextmanager
def recording_failed_sync(operator: ElementaryStoreOperator, context: Context, sync: str) -> Iterator[None]:
    """Record in the operator's store that its sync failed, if the block does.

    :param sync: the run key of the snapshot.
    """
    from airflow_provider_elementary.snapshots.failed_syncs import recording_failure

    attempt, retries = (int(getattr(context["ti"], name, 0) or 0) for name in ("try_number", "max_tries"))
    with recording_failure(lambda: operator.repository, run_key=sync, attempt=max(attempt, 1), attempts=retries + 1):
        yield


def is_true(value: bool | str | None) -> bool:
    """Return a boolean that may have been a template: without native rendering a form's false is the text False.

    :raises ConfigurationError: it is neither true nor false.
    """
    text = str(value or "").strip().lower()
    if text not in ("true", "false", "none", ""):
        raise ConfigurationError(f"{value!r} is not a boolean. Give true or false.")
    return text == "true"


def templated_number(operator: BaseOperator, name: str) -> int:
    """Return an operator's argument that may have been a template.

    :raises ConfigurationError: it is not a whole number.
    """
    value = getattr(operator, name)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} is {value!r}. Give a whole number.") from None


def real_number(operator: BaseOperator, name: str) -> float:
    """Return an operator's argument as :func:`templated_number` does, fractions included."""
    value = getattr(operator, name)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} is {value!r}. Give a number.") from None


def parse_categories(names: Iterable[str]) -> list[Category]:
    """Return the categories of these names.

    :raises ConfigurationError: there is no category of a name.
    """
    try:
        return [Category(name) for name in names]
    except ValueError:
        known = ", ".join(category.value for category in Category)
        raise ConfigurationError(f"categories are {list(names)!r}. Name some of: {known}.") from None


class ElementaryStoreOperator(BaseOperator):
    """Base of the operators that use a store.

    :param store_conn_id: the connection of type ``elementary_store``. (templated)
    """

    template_fields: Sequence[str] = ("store_conn_id",)

    def __init__(self, *, store_conn_id: str | None = DEFAULT_STORE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store_conn_id = store_conn_id

    def on_kill(self) -> None:
        """Cancel the running query or upload: Airflow is about to end the process."""
        break_off_all()

    @cached_property
    def store_hook(self) -> ElementaryStoreHook:
        """The hook of the store's connection."""
        # A form's empty field names no connection.
        return ElementaryStoreHook(self.store_conn_id or DEFAULT_STORE)

    @property
    def repository(self) -> Repository:
        """The store's snapshots, its keys and its signer."""
        return self.store_hook.repository


class ElementarySourceOperator(ElementaryStoreOperator):
    """Base of the operators that read a warehouse or a snapshot, and write results to a store.

    :param elementary_conn_id: the connection of the warehouse to read; without it, a snapshot in the store is read,
        without a warehouse. (templated)
    :param snapshot: which snapshot: ``latest`` or its id. (templated)
    :param schema: the Elementary schema of the warehouse. (templated)
    :param database: the database of the schema. (templated)
    :param accept_unknown: names of access checks that may stay unknown.
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "elementary_conn_id",
        "snapshot",
        "schema",
        "database",
    )

    def __init__(
        self,
        *,
        elementary_conn_id: str | None = None,
        snapshot: str = "latest",
        schema: str | None = None,
        database: str | None = None,
        accept_unknown: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.snapshot = snapshot
        self.schema = schema
        self.database = database
        self.accept_unknown = tuple(accept_unknown)

    @contextmanager
    def open_source(self) -> Iterator[tuple[Source, dict[str, Any]]]:
        """Open the warehouse after its access check, or the snapshot.

        :return: the source, and what identifies it, for the result's ``origin``.
        """
        if self.elementary_conn_id:
            from airflow_provider_elementary.hooks.elementary import ElementaryHook

            hook = ElementaryHook(self.elementary_conn_id, self.schema, self.database)
            with hook.source() as source:
                require_access(hook, source, self.accept_unknown)
                warehouse, known = source.warehouse, {"adapter": source.adapter, "namespace": source.namespace}
                yield source, {"dialect": warehouse.dialect, "schema": warehouse.schema, **known}
        else:
            snapshot = self.repository.source(self.snapshot)
            known = {"adapter": snapshot.adapter, "namespace": snapshot.manifest.source.get("namespace")}
            taken = {"store": self.repository.uri, "snapshot_id": snapshot.manifest.snapshot_id}
            yield snapshot, {**taken, **known}


def _given_anchor(anchor: Mapping[str, Any]) -> Anchor:
    """Return the anchor that a person typed, or a snapshot task returned."""
    from airflow_provider_elementary.snapshots.chain import Anchor

    try:
        number, digest = int(anchor["sequence"]), str(anchor["manifest_sha256"]).strip().lower()
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ConfigurationError(
            "The anchor has no sequence and manifest_sha256. Give what a snapshot task returned, or a mapping with "
            "these two."
        ) from None
    if number < 1 or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ConfigurationError(
            f"The anchor {number}:{digest[:80]} is not a snapshot's number and the SHA-256 of its manifest. Copy both "
            "from the snapshot task's return value, or from `airflow-elementary snapshot list`."
        )
    return Anchor(number, digest)


def anchors_of(operator: ElementaryStoreOperator, anchor: Mapping[str, Any] | None, context: Context) -> list[Anchor]:
    """Return the anchors of a chain: the given one, and the newest proved one of each inlet's events.

    :param anchor: what a snapshot task returned, whose signed statement counts; or two numbers that a person gives.
    :raises UnprovedError: the given statement is not signed by a key of the store.
    """
    from airflow_provider_elementary.snapshots.anchors import read_anchor

    anchors = []
    if anchor and "anchor" in anchor:
        anchors.append(read_anchor(operator.repository, anchor["anchor"]))
    elif anchor:
        anchors.append(_given_anchor(anchor))
    for asset in operator.inlets or ():
        proved = []
        for event in _newest_events(context["inlet_events"][asset]):
            extra = event.extra
            if not isinstance(extra, dict) or extra.get("store") != operator.repository.uri or "anchor" not in extra:
                continue
            origin = f"the event of {asset.name} at {event.timestamp:%Y-%m-%d %H:%M} UTC"
            try:
                proved.append(read_anchor(operator.repository, extra["anchor"], origin))
            except UnprovedError as error:
                # Users of Airflow's API may add events with any content.
                operator.log.warning("ignoring %s: %s", origin, error)
        if proved:
            anchors.append(max(proved, key=lambda found: found.sequence))
    return anchors


def _newest_events(events: Any) -> list[Any]:
    """Return the newest events of an asset; before Airflow 3.2 all of them come, the oldest first."""
    if isinstance(events, list):
        return events[-_EVENTS_READ:]
    return list(events.ascending(False).limit(_EVENTS_READ))


def newest_inlet_anchor(operator: ElementaryStoreOperator, context: Context) -> Anchor | None:
    """Return the newest proved anchor of an operator's inlets, or None where there is none."""
    return max(anchors_of(operator, None, context), key=lambda anchor: anchor.sequence, default=None)
