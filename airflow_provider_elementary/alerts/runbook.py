"""Names what to do about a condition, and its docs section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from types import MappingProxyType

from airflow_provider_elementary.incidents.conditions import Kind

_PACKAGE = "airflow-provider-elementary"
_PAGE = "runbook"


@dataclass(frozen=True)
class RunbookEntry:
    """What to do about a condition of one kind.

    :param to_do: in a sentence without a full stop.
    :param section: the heading of the docs page.
    """

    to_do: str
    section: str

    @property
    def anchor(self) -> str:
        """The section's address on its page, as the docs make it from the heading."""
        return self.section.lower().replace(" ", "-")


RUNBOOK: Mapping[Kind, RunbookEntry] = MappingProxyType(
    {
        "test": RunbookEntry(
            "Look at the failed rows in the warehouse, correct the data or the test, and run the test again",
            "A test does not pass",
        ),
        "run": RunbookEntry(
            "Read the error in the log of dbt, correct the model, and run it again", "A model does not run"
        ),
        "source_freshness": RunbookEntry(
            "Ask who loads the source, and run `dbt source freshness` again", "A source is late"
        ),
        "invocation": RunbookEntry("Look at the log of the job that runs dbt", "dbt does not run"),
        "anomaly": RunbookEntry(
            "Compare with the days before; answer expected or new-normal if it is right", "A metric is anomalous"
        ),
        "sync": RunbookEntry(
            "Look at the newest runs of the DAG that takes snapshots", "The sync failed or is overdue"
        ),
        "markers": RunbookEntry(
            "Follow the evidence above; until then, rows of unfinished runs are taken late",
            "Commit markers do not come",
        ),
        "access": RunbookEntry(
            "Run `airflow-elementary check-access`, and revoke the excess privileges", "An access check failed"
        ),
    }
)


def link_of(kind: Kind, docs_url: str = "") -> str:
    """Return where the docs say what to do; without an address of the docs, the page and section in words.

    :param docs_url: where the docs are published; by default what the package's metadata names as Documentation.
    """
    entry, base = RUNBOOK[kind], (docs_url or _published()).strip().rstrip("/")
    return f"{base}/{_PAGE}.html#{entry.anchor}" if base else f"docs/{_PAGE}.md, section {entry.section!r}"


def _published() -> str:
    """Return the address of the docs that the package's metadata names; empty where it names none."""
    try:
        named = metadata(_PACKAGE).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    addresses = dict(each.split(", ", 1) for each in named)
    return str(addresses.get("Documentation", ""))
