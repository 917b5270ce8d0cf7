"""Defines a condition: something wrong with one subject."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, get_args

Kind = Literal["test", "run", "source_freshness", "invocation", "anomaly", "sync", "markers", "access"]
Severity = Literal["critical", "high", "normal", "low"]
#: What a condition is about; conditions of one incident have compatible families.
Family = Literal["volume", "freshness", "values", "nulls", "schema", "run", "duration", "access", "other"]

#: The worst first.
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "normal", "low")

#: The states of what ended without good evidence: its subject is gone, or nothing is known of it any more.
REMOVED, NO_LONGER_EXPECTED, NO_LONGER_MEASURED = "removed", "no longer expected", "no longer measured"

#: The subject of what concerns the whole project.
PROJECT = "the dbt project"


@dataclass(frozen=True)
class Origin:
    """The columns that the values of wrong columns come from.

    :param table: their table, as metrics name it.
    :param columns: lower case, sorted.
    :param known_by: the code of the models, or the names of columns alone.
    """

    table: str
    columns: tuple[str, ...]
    known_by: Literal["code", "names"] = "code"


@dataclass(frozen=True)
class Condition:
    """Something wrong with one subject, from the first evidence of it until evidence that it is over.

    :param kind: where the evidence comes from.
    :param subject: the id of a dbt test or node, a dbt command, or a metric as :func:`metric_subject` names it.
    :param table: the table that it is of, as metrics name it; a test without a table is ``test`` and its id;
        :data:`PROJECT` for what is of no table.
    :param column: the column that it is of, or None.
    :param family: what it is about.
    :param severity: how bad it is.
    :param started_at: when the first evidence was made. Times are UTC without a zone.
    :param last_seen: when the newest evidence was made that it holds.
    :param ended_at: when the evidence was made that it is over; None as long as it holds.
    :param times: how often it was seen in a row.
    :param state: the newest status, or the kind of anomaly.
    :param title: what happened, in a sentence without raw values.
    :param evidence: why it is known, in words.
    :param origin: where the wrong values come from, by the code of the models; None where nothing says it.
    """

    kind: Kind
    subject: str
    table: str
    column: str | None
    family: Family
    severity: Severity
    started_at: datetime
    last_seen: datetime
    ended_at: datetime | None
    times: int
    state: str
    title: str
    evidence: str
    origin: Origin | None = None

    @property
    def condition_id(self) -> str:
        """The same in every run: a hash of kind, subject, table and start."""
        # The table too: one test of a model has a state for each target of dbt.
        identity = "|".join((self.kind, self.subject, self.table, self.started_at.isoformat()))
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

    @property
    def root(self) -> str:
        """The table where it began, as far as is known."""
        return self.origin.table if self.origin else self.table

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about, whenever it began."""
        return self.kind, self.subject, self.table

    @property
    def is_of_result(self) -> bool:
        """Whether it is an anomaly of a metric that is computed from dbt's own results."""
        return self.kind == "anomaly" and self.subject.rpartition(": ")[2] in RESULT_METRICS

    @property
    def holds(self) -> bool:
        """Whether nothing says that it is over."""
        return self.ended_at is None

    @property
    def is_closed(self) -> bool:
        """Whether it is over without good evidence: nothing was repaired, as far as is known."""
        return not self.holds and self.state in (REMOVED, NO_LONGER_EXPECTED, NO_LONGER_MEASURED)


def project_condition(
    kind: Kind,
    subject: str,
    family: Family,
    severity: Severity,
    *,
    started_at: datetime,
    last_seen: datetime,
    state: str,
    title: str,
    evidence: str,
    times: int = 1,
) -> Condition:
    """Return a condition of the whole project that holds."""
    return Condition(
        kind=kind,
        subject=subject,
        table=PROJECT,
        column=None,
        family=family,
        severity=severity,
        started_at=started_at,
        last_seen=last_seen,
        ended_at=None,
        times=times,
        state=state,
        title=title,
        evidence=evidence,
    )


def metric_subject(table: str, column: str | None, metric: str, dimension: str | None) -> str:
    """Return the subject of an anomaly: ``orders: email.null_percent``; values of a dimension share one."""
    name = f"{column}.{metric}" if column else metric
    return f"{table}: {name} by {dimension}" if dimension else f"{table}: {name}"


def metric_of(subject: str, column: str | None) -> tuple[str, str, str | None]:
    """Return the table, the metric and the dimension of a subject that :func:`metric_subject` made."""
    table, _, name = subject.rpartition(": ")
    metric, _, dimension = name.removeprefix(f"{column}." if column else "").partition(" by ")
    return table, metric, dimension or None


#: The families of Elementary's tests and of the most used generic ones, by the test's short name.
TEST_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("volume_anomalies", "volume_threshold", "dimension_anomalies", "unique"),
                *("unique_combination_of_columns", "equal_rowcount", "fewer_rows_than", "row_count"),
                *("expect_table_row_count_to_be_between", "expect_column_values_to_be_unique", "cardinality_equality"),
            ),
            "volume",
        ),
        **dict.fromkeys(
            (
                *("freshness_anomalies", "event_freshness_anomalies", "data_freshness_sla", "recency"),
                "expect_row_values_to_have_recent_data",
            ),
            "freshness",
        ),
        **dict.fromkeys(("not_null", "not_null_proportion", "expect_column_values_to_not_be_null"), "nulls"),
        **dict.fromkeys(
            ("schema_changes", "schema_changes_from_baseline", "json_schema", "expect_column_to_exist"), "schema"
        ),
        **dict.fromkeys(
            (
                *("accepted_values", "relationships", "accepted_range", "expression_is_true", "metric_stability"),
                *("column_anomalies", "all_columns_anomalies", "ai_data_validation", "unstructured_data_validation"),
            ),
            "values",
        ),
        "execution_sla": "duration",
        "exposure_schema_validity": "schema",
    }
)

#: The families of the metrics that are scored; every other metric of a column is of its values.
METRIC_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        **dict.fromkeys(("row_count", "dimension", "rows_affected"), "volume"),
        **dict.fromkeys(("freshness", "event_freshness", "source_age"), "freshness"),
        **dict.fromkeys(
            (
                *("null_count", "null_percent", "not_null_percent"),
                *("missing_count", "missing_percent", "not_missing_percent"),
            ),
            "nulls",
        ),
        "schema_changes": "schema",
        **dict.fromkeys(("execution_time", "execution_time_ratio"), "duration"),
        **dict.fromkeys(("failed_runs", "invocations"), "run"),
    }
)

#: The metrics that are computed from dbt's own results: an anomaly of theirs follows the condition of the result.
RESULT_METRICS = frozenset({"failed_rows", "failed_runs", "source_age", "schema_changes", "invocations"})

#: The metrics of a whole project: where a table's name stands, they have the project's.
PROJECT_METRICS = frozenset({"invocations"})

#: Which families can have one cause: of an upstream table and of the table itself, in this order.
_COMPATIBLE: frozenset[tuple[Family, Family]] = frozenset(
    {
        *((family, family) for family in get_args(Family)),
        *(("volume", "freshness"), ("freshness", "volume"), ("nulls", "values"), ("values", "nulls")),
        *(("schema", "run"), ("run", "volume"), ("run", "freshness"), ("values", "run"), ("schema", "nulls")),
    }
)


def test_family(short_name: str | None) -> Family:
    """Return what a dbt test is about."""
    name = (short_name or "").strip().lower().removesuffix("_with_context").removeprefix("elementary_")
    return TEST_FAMILIES.get(name, "other")


def metric_family(metric: str, column: str | None) -> Family:
    """Return what an anomaly of a metric is about."""
    return METRIC_FAMILIES.get(metric.lower(), "values" if column else "other")


def can_cause(upstream: Family, downstream: Family) -> bool:
    """Return whether a condition of one family can be the cause of one of another, downstream of it."""
    if "duration" in (upstream, downstream):
        return upstream == downstream
    return (upstream, downstream) in _COMPATIBLE


def can_share_cause(one: Condition, other: Condition) -> bool:
    """Return whether two conditions of one table can have one cause.

    Two columns that are wrong are two things. What a test of one's own is about, nothing says.
    """
    if one.column != other.column and one.column and other.column:
        return False
    return (
        "other" in (one.family, other.family)
        or can_cause(one.family, other.family)
        or can_cause(other.family, one.family)
    )


def worst(severities: set[Severity]) -> Severity:
    """Return the worst of severities."""
    return min(severities, key=SEVERITIES.index)
