"""Locks tables before PostgreSQL's snapshot, and detects replaced ones.

A transaction at REPEATABLE READ sees a table that is younger than its snapshot, or was truncated or rewritten after it,
as empty (PostgreSQL, "Caveats" of its chapter on MVCC). So, as in pg_dump, one LOCK TABLE statement comes before the
first query. A savepoint precedes it: rolling back to it releases the locks and keeps the snapshot, so that DDL waits
only for the read of its own table. Each later read locks its table again, and compares the table's file with the one in
the snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adbc_driver_manager import Error as AdbcError
from sqlglot import exp

from airflow_provider_elementary.exceptions import TableLockedError, TableReplacedError

Ask = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]

#: How long to wait for a lock in all.
LOCK_SECONDS = 10.0
#: How long an attempt waits while it holds other locks: less than deadlock_timeout (1 s), after which PostgreSQL ends
#: one of two transactions that wait for each other, and that may be dbt's.
_SHORT_WAIT = "SET LOCAL lock_timeout = '400ms'"
_LONG_WAIT = f"SET LOCAL lock_timeout = '{LOCK_SECONDS:.0f}s'"
_PAUSE_SECONDS = 0.1

# lock_not_available, deadlock_detected
_LOCKED = frozenset({"55P03", "40P01"})
_GONE = frozenset({"42P01", "3F000"})
#: A lock needs SELECT on the whole table; materialized views and foreign tables have none.
_NOT_LOCKABLE = frozenset({"42501", "42809"})

# pg_class answers as of the snapshot; functions that take a name or an oid answer as of now.
_UNCHANGED = """
SELECT c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = CAST($1 AS text) AND c.relname = ANY(string_to_array(CAST($2 AS text), ','))
  AND CASE c.relkind
    WHEN 'r' THEN to_regclass(format('%I.%I', n.nspname, c.relname))::oid = c.oid
      AND pg_relation_filenode(c.oid) = c.relfilenode
    WHEN 'p' THEN to_regclass(format('%I.%I', n.nspname, c.relname))::oid = c.oid
      AND (SELECT string_agg(concat_ws(':', t.relid::oid, pg_relation_filenode(t.relid)), ',' ORDER BY t.relid::oid)
           FROM pg_partition_tree(c.oid) t)
        = (WITH RECURSIVE member(oid) AS (
             SELECT c.oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN member ON member.oid = i.inhparent)
           SELECT string_agg(concat_ws(':', m.oid, nullif(m.relfilenode, 0)), ',' ORDER BY m.oid)
           FROM pg_catalog.pg_class m JOIN member ON member.oid = m.oid)
    ELSE true END
"""
_HOLDERS = """
SELECT DISTINCT l.pid::int, a.usename::text
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.relation = to_regclass(format('%I.%I', CAST($1 AS text), CAST($2 AS text)))::oid
ORDER BY 1
"""


class TableLocks:
    """Takes and releases ACCESS SHARE locks inside the one transaction of a session.

    :param ask: runs a statement in that transaction; raises the driver's own error.
    :param begin: ends that transaction and begins another. ADBC runs nothing else after a statement that failed.
    :param schema: the schema of the tables.
    """

    def __init__(self, ask: Ask, begin: Callable[[], object], schema: str) -> None:
        self._ask = ask
        self._begin = begin
        self._schema = schema
        self._unlockable: set[str] = set()

    def begin(self, tables: Sequence[str]) -> None:
        """Begin a transaction whose snapshot is taken while these tables are locked; then release them.

        :raises TableLockedError: another session held a conflicting lock for longer than :data:`LOCK_SECONDS`.
        :raises TableReplacedError: a table is gone.
        """
        give_up_at = time.monotonic() + LOCK_SECONDS
        tables = sorted(tables)
        while (state := self._attempt_from_start(tables, _SHORT_WAIT)) is not None:
            if state not in _LOCKED:
                tables = self._lockable(tables)
            elif time.monotonic() >= give_up_at:
                raise self._locked(tables)
            else:
                time.sleep(_PAUSE_SECONDS)
        # The first query takes the snapshot.
        self._ask("SELECT 1", ())
        self._release()
        self._ask(_LONG_WAIT, ())

    @contextmanager
    def held(self, tables: Sequence[str]) -> Iterator[None]:
        """Hold locks on these tables; where the block ends well or early, release them and undo its settings.

        :raises TableLockedError: another session held a conflicting lock for longer than :data:`LOCK_SECONDS`.
        :raises TableReplacedError: a table is no longer the one that the snapshot has.
        """
        lockable = sorted(set(tables) - self._unlockable)
        if (state := self._attempt(lockable)) is not None:
            raise TableReplacedError(self._schema, tables) if state in _GONE else self._locked(lockable)
        self._require_unchanged(tables)
        try:
            yield
        except GeneratorExit:
            self._release()
            raise
        if len(lockable) < len(tables):
            self._require_unchanged(tables)
        self._release()

    def _attempt_from_start(self, tables: Sequence[str], lock_timeout: str) -> str | None:
        self._begin()
        self._ask(lock_timeout, ())
        return self._attempt(tables)

    def _attempt(self, tables: Sequence[str]) -> str | None:
        """Take all locks; return the SQLSTATE of what prevented it, or None."""
        try:
            self._ask("SAVEPOINT locks", ())
            if tables:
                self._ask(f"LOCK TABLE {self._names(tables)} IN ACCESS SHARE MODE", ())
        except AdbcError as error:
            if error.sqlstate not in _LOCKED | _GONE | _NOT_LOCKABLE:
                raise
            return str(error.sqlstate)
        return None

    def _release(self) -> None:
        self._ask("ROLLBACK TO SAVEPOINT locks", ())
        self._ask("RELEASE SAVEPOINT locks", ())

    def _lockable(self, tables: Sequence[str]) -> list[str]:
        """Return the tables that can be locked, tried one by one; the server's own message is in its language."""
        states = {name: self._attempt_from_start([name], _SHORT_WAIT) for name in tables}
        if gone := [name for name, state in states.items() if state in _GONE]:
            raise TableReplacedError(self._schema, gone)
        self._unlockable |= {name for name, state in states.items() if state in _NOT_LOCKABLE}
        return [name for name in tables if name not in self._unlockable]

    def _locked(self, tables: Sequence[str]) -> TableLockedError:
        locked = [name for name in tables if self._attempt_from_start([name], _SHORT_WAIT) in _LOCKED]
        # Where no table is locked any more, all that is known is that one of them was.
        named = locked or list(tables)
        self._begin()
        holders = self._ask(_HOLDERS, [self._schema, named[0]])
        shown = [f"session {pid} of user {user or 'unknown'}" for pid, user in holders]
        return TableLockedError(self._schema, named, shown, LOCK_SECONDS)

    def _require_unchanged(self, tables: Sequence[str]) -> None:
        unchanged = {row[0] for row in self._ask(_UNCHANGED, [self._schema, ",".join(tables)])}
        if replaced := sorted(set(tables) - unchanged):
            raise TableReplacedError(self._schema, replaced)

    def _names(self, tables: Sequence[str]) -> str:
        return ", ".join(exp.table_(name, db=self._schema, quoted=True).sql("postgres") for name in tables)
