"""What the grants lend is no excess of the second role, and everything beside it is."""

from __future__ import annotations

from typing import Any, cast

import pytest

from airflow_provider_elementary.query_history.access import check_history_access
from airflow_provider_elementary.query_history.guard import HistorySession
from tests.support.sessions import DeclaredSession

OUTSIDE = "reads-outside-schema"


class Google(DeclaredSession):
    """A BigQuery whose account holds these permissions on the project."""

    held: frozenset[str] = frozenset({"bigquery.jobs.listAll", "bigquery.jobs.create"})

    def permissions(self, asked: Any, place: object = None) -> set[str]:
        return set(asked) & self.held

    def projects(self) -> list[str]:
        return ["dwh"]

    def datasets(self) -> list[str]:
        return []

    def dataset_tables(self, dataset: str) -> list[str]:
        return []

    def bindings(self) -> list[tuple[str, str]]:
        return []


def google(*held: str) -> HistorySession:
    session = Google("bigquery", "region-eu", "dwh", {"SESSION_USER": [{"user": "history"}]})
    session.held = session.held | set(held)
    return cast(HistorySession, session)


def trino(**answers: Any) -> HistorySession:
    shown = {"system.runtime.queries WHERE": [{"count": 7}], **answers}
    return cast(HistorySession, DeclaredSession("trino", "runtime", "system", shown))


@pytest.mark.parametrize("session", [google(), trino()], ids=["bigquery", "trino"])
def test_the_right_to_the_history_is_no_excess(session: HistorySession) -> None:
    assert check_history_access(session).finding(OUTSIDE).status == "unknown"


def test_a_right_beside_the_history_is_still_found() -> None:
    finding = check_history_access(google("bigquery.tables.getData")).finding(OUTSIDE)

    assert (finding.status, finding.excess) == ("fail", ("bigquery.tables.getData on the project",))
