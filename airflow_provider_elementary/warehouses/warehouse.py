"""What every warehouse can do for us: run a guarded query as Arrow, answer catalogue statements, close."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.access.session import Session
from airflow_provider_elementary.exceptions import WarehouseError


class Warehouse(Session, Protocol):
    """One open read-only session; the provider's face opens it, :class:`WarehouseSource` reads through it."""

    def stream(self, query: GuardedQuery) -> Iterator[pa.RecordBatch]:
        """Yield a guarded query's rows as the driver delivers them, in the driver's own types.

        :raises WarehouseError: the warehouse could not be reached, went away or refused the query.
        """
        ...

    def close(self) -> None:
        """End the session; closing twice does no harm."""
        ...


def went_away(dialect: str, doing: str, error: BaseException) -> WarehouseError:
    """Return the error to raise where the warehouse failed; a driver's own text may quote SQL, values or passwords.

    :param doing: what was being done, as in ``reading dbt_models``.
    """
    state = getattr(error, "sqlstate", None)
    name = type(error).__name__ + (f", SQLSTATE {state}" if isinstance(state, str) else "")
    return WarehouseError(
        f"Expected an answer from the {dialect} warehouse while {doing}, found a failure ({name}). "
        "Nothing was committed. Retry; if it happens again, the warehouse's own log says more."
    )
