"""Whether the incidents that are found name the table to which something was done.

An incident is *of* a change if one of its conditions began in its place and time (see :mod:`.matching`), and, where it
is an anomaly, is of a metric that this kind of change moves. The root is right if one incident of the change has the
changed table as its root; of a failed model that is the model. What no condition is of has no root.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.conditions import Condition
    from airflow_provider_elementary.incidents.tracking import Incident
    from tests.benchmarks.incidents.matching import Truth

RootStatus = Literal["right", "wrong", "none"]


def root_status(truth: Truth, table: str, incidents: Iterable[Incident]) -> RootStatus:
    """Return whether an incident of a change has the right root.

    :param table: to which it was done.
    """
    matching = [each for each in incidents if any(_is_of(truth, condition) for condition in each.conditions)]
    if not matching:
        return "none"
    return "right" if any(_is_root(truth, table, each) for each in matching) else "wrong"


def _is_root(truth: Truth, table: str, incident: Incident) -> bool:
    is_failed_model = truth.kind == "model_run_failure" and incident.cause.kind == "run"
    return incident.root == table or (is_failed_model and truth.is_at(incident.root))


def _is_of(truth: Truth, condition: Condition) -> bool:
    from airflow_provider_elementary.incidents.conditions import metric_of
    from tests.benchmarks.incidents.matching import GRACE, MOVED_BY

    if not truth.is_at(condition.table) or not truth.start - GRACE <= condition.started_at < truth.end + GRACE:
        return False
    metric = metric_of(condition.subject, condition.column)[1]
    return condition.kind != "anomaly" or metric in MOVED_BY[truth.kind]
