"""Lists the views of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from airflow_provider_elementary.page.views.base import Request


@dataclass(frozen=True)
class View:
    """One view of the page.

    :param path: its address, relative to the page's.
    :param title: in the navigation and the heading; that of the parent view for a view outside the navigation.
    :param builder: its module here and the function that returns the values of the template. It is imported when the
        view is asked for first, so that others do not wait for it.
    :param is_of_data: shows synced data, for example metrics and owners, not only manifests.
    """

    path: str
    title: str
    template: str
    builder: tuple[str, str]
    is_of_data: bool
    in_navigation: bool = True

    def build(self, request: Request) -> object:
        """Return the values of the template.

        :raises NotHereError: what the request names is not there.
        """
        return self.load()(request)

    def load(self) -> Callable[[Request], object]:
        """Import the view's module and return its builder."""
        module, function = self.builder
        found: Callable[[Request], object] = getattr(import_module(f"{__package__}.{module}"), function)
        return found


VIEWS = (
    View("", "Overview", "overview.html", ("overview", "build"), is_of_data=True),
    View("tables", "Tables", "tables.html", ("tables", "build"), is_of_data=True),
    View("table", "Tables", "table.html", ("table", "build"), is_of_data=True, in_navigation=False),
    View("tests", "Tests", "tests.html", ("test_list", "build"), is_of_data=True),
    View("runs", "Runs", "runs.html", ("runs", "build"), is_of_data=True),
    View("run", "Runs", "run.html", ("runs", "build_one"), is_of_data=True, in_navigation=False),
    View("freshness", "Freshness", "freshness.html", ("freshness", "build"), is_of_data=True),
    View("coverage", "Coverage", "coverage.html", ("coverage", "build"), is_of_data=True),
    View("lineage", "Lineage", "lineage.html", ("lineage", "build"), is_of_data=True),
    View("incidents", "Incidents", "incidents.html", ("incidents", "build"), is_of_data=True),
    View("incident", "Incidents", "incident.html", ("incidents", "build_one"), is_of_data=True, in_navigation=False),
    View("backtests", "Backtests", "backtests.html", ("backtests", "build"), is_of_data=True),
    View("snapshots", "Snapshots", "snapshots.html", ("snapshots", "build"), is_of_data=False),
    View("snapshot", "Snapshots", "snapshot.html", ("snapshots", "build_one"), is_of_data=False, in_navigation=False),
    View("compare", "Snapshots", "compare.html", ("compare", "build"), is_of_data=True, in_navigation=False),
    View("of-run", "Written by a run", "of_run.html", ("of_run", "build"), is_of_data=False, in_navigation=False),
    View("access", "Access", "access.html", ("access", "build"), is_of_data=False),
    View("audit", "Audit", "audit.html", ("audit", "build"), is_of_data=False),
)
