"""The trigger that fires when dbt invocations appear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_elementary.exceptions import ElementaryError, WarehouseError
from airflow_provider_elementary.operators.access_gate import require_access
from airflow_provider_elementary.timeouts import POLL_SECONDS, in_background

if TYPE_CHECKING:
    from airflow_provider_elementary.invocations import Cursor, Invocation, InvocationFilter
    from airflow_provider_elementary.warehouses.source import WarehouseSource

P = ParamSpec("P")
T = TypeVar("T")

_CURSOR = "elementary_cursor"
_ARGUMENTS = (
    *("elementary_conn_id", "schema", "database", "accept_unknown", "since", "poll_interval"),
    *("project_name", "command", "target_name", "env", "job_name"),
)


class ElementaryInvocationTrigger(BaseEventTrigger):
    """Polls ``dbt_invocations`` and fires one event per poll that found new rows, for an asset's watcher or a sensor.

    Airflow loses all but the first of several events that are fired together, so an event carries the newest
    invocation, the number of new ones, and the watermark up to which the schema may be read. The first poll runs the
    access check, as every sync does: the connection can read the Elementary schema and nothing else.

    An asset's watcher reports what appears after its start; with Airflow 3.3 it resumes after a restart where it
    stopped. When a poll fails, a watcher logs it and retries at the next interval: an event would start DAGs.

    :param elementary_conn_id: the connection of the warehouse.
    :param schema: the Elementary schema.
    :param database: the database that holds it.
    :param project_name: only invocations of this dbt project.
    :param command: only invocations of this command, as in ``build``.
    :param target_name: only invocations with this target of dbt's profile.
    :param env: only invocations in this environment of Elementary's.
    :param job_name: only invocations of this job.
    :param since: for a sensor: ISO 8601; the trigger ends with the first event, on an invocation that ended at this
        time or later. Without it the trigger never ends.
    :param poll_interval: seconds between two polls; each may start a suspended warehouse.
    :param accept_unknown: names of access checks that may stay unknown.
    """

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
        since: str | None = None,
        poll_interval: float = 300,
        accept_unknown: Sequence[str] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.project_name = project_name
        self.command = command
        self.target_name = target_name
        self.env = env
        self.job_name = job_name
        self.since = since
        self.poll_interval = poll_interval
        self.accept_unknown = list(accept_unknown)
        self._access_proved = False
        self._source: WarehouseSource | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments to create the trigger again; none of them is a secret."""
        arguments = {name: getattr(self, name) for name in _ARGUMENTS}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event for each poll that found something."""
        if self.since is not None:
            yield await self._wait()
            return
        cursor = await self._load_cursor()
        while True:
            try:
                new, moved = await self._poll(self._read_new, cursor)
            except Exception as error:
                self.log.error("polling %s failed, will retry: %s", self.elementary_conn_id, _reason(error))
            else:
                if new:
                    yield _event(_payload(new, moved))
                if moved != cursor:
                    # After the event: a crash in between repeats it, which idempotent DAGs allow, and never loses it.
                    await self._save_cursor(moved)
                    cursor = moved
            await asyncio.sleep(self.poll_interval)

    async def _wait(self) -> TriggerEvent:
        """Return the one event of a sensor: the invocation, or the error that ends the wait."""
        while True:
            try:
                if found := await self._poll(self._find):
                    return _event({"status": "success", "invocation": found.to_dict()})
            except Exception as error:
                permanent = isinstance(error, ElementaryError) and error.permanent
                if permanent or not isinstance(error, ElementaryError):
                    return _event({"status": "error", "message": _reason(error), "permanent": permanent})
                self.log.warning("polling %s failed, will retry: %s", self.elementary_conn_id, error)
            await asyncio.sleep(self.poll_interval)

    async def _poll(self, query: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return what a query of the warehouse returns; one that hangs blocks neither the triggerer nor a thread of it.

        :raises WarehouseError: it took too long.
        """
        running = in_background("elementary-trigger", query, *arguments, **options)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), POLL_SECONDS)
        except TimeoutError:
            raise WarehouseError(
                f"Reading {self.elementary_conn_id} took more than {POLL_SECONDS:g} s. Check the network and the "
                "warehouse; the next attempt may succeed."
            ) from None
        finally:
            if not running.done() and self._source is not None:
                in_background("elementary-trigger-cancel", self._source.cancel)

    def _read_new(self, cursor: Cursor | None) -> tuple[list[Invocation], Cursor]:
        from airflow_provider_elementary.invocations import Cursor, poll_invocations

        with self._open_source() as source:
            if cursor is None:
                return [], poll_invocations(source, Cursor(), self._wanted())[1]
            return poll_invocations(source, cursor, self._wanted())

    def _find(self) -> Invocation | None:
        from airflow_provider_elementary.invocations import newest_since, parse_time

        with self._open_source() as source:
            return newest_since(source, parse_time(str(self.since)), self._wanted())

    @contextmanager
    def _open_source(self) -> Iterator[WarehouseSource]:
        from airflow_provider_elementary.hooks.elementary import ElementaryHook

        hook = ElementaryHook(self.elementary_conn_id, self.schema or None, self.database or None)
        with hook.source() as source:
            self._source = source
            if not self._access_proved:
                require_access(hook, source, self.accept_unknown)
                self._access_proved = True
            yield source

    def _wanted(self) -> InvocationFilter:
        from airflow_provider_elementary.invocations import InvocationFilter

        return InvocationFilter(self.project_name, self.command, self.target_name, self.env, self.job_name)

    async def _load_cursor(self) -> Cursor | None:
        from airflow_provider_elementary.invocations import Cursor

        # Airflow before 3.3 saves no state for watchers.
        if (store := getattr(self, "asset_state_store", None)) is None:
            return None
        try:
            stored = await store.aget(_CURSOR)
        except ValueError:
            self.log.warning(
                "ignoring the saved position of %s: several assets share this trigger", self.elementary_conn_id
            )
            self.asset_state_store = None
            return None
        return Cursor.from_dict(stored) if stored else None

    async def _save_cursor(self, cursor: Cursor) -> None:
        if (store := getattr(self, "asset_state_store", None)) is None:
            return
        try:
            await store.aset(_CURSOR, cursor.to_dict())
        except Exception as error:
            # Airflow restarts a trigger that ended, which would fire the same event again and again.
            self.log.error("could not save the polling position for %s: %s", self.elementary_conn_id, _reason(error))


def _event(payload: dict[str, Any]) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]


def _payload(new: Sequence[Invocation], cursor: Cursor) -> dict[str, Any]:
    return {
        "status": "success",
        "watermark": cursor.to_dict()["watermark"],
        "count": len(new),
        "invocation": new[-1].to_dict(),
    }


def _reason(error: Exception) -> str:
    """Return what failed; the text of an error that is not ours may hold secrets."""
    return str(error) if isinstance(error, ElementaryError) else f"unexpected {type(error).__name__}"
