"""Defines which categories, samples and columns a snapshot takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_elementary.elementary_schema import TABLES, Category, Column, Sensitivity, Table
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots.policy.parameter import PolicyParameter
from airflow_provider_elementary.times import MOST_DAYS

DEFAULT_CATEGORIES = tuple(category for category in Category if category is not Category.QUERY_LOGS)

_COLUMN_RULES = ("masked_columns", "hashed_columns", "dropped_columns")
# Metrics whose value is, or may be, that of a single row of the monitored table.
_METRICS_OF_SINGLE_ROWS = ("min", "max", "sum")
# Series and verdicts stay apart and joinable by a keyed hash. The ids are among them because they are plain MD5 of
# what they identify, dimension values included: anyone who guesses a value could confirm it.
_HASHED_WITHOUT_RAW_VALUES = (
    "data_monitoring_metrics.id",
    "data_monitoring_metrics.dimension_value",
    "data_monitoring_metrics.metric_properties.where_expression",
    "elementary_test_results.id",
    "test_result_rows.elementary_test_results_id",
)
_NEEDS_CARE = frozenset({Sensitivity.RAW_VALUES, Sensitivity.SQL_TEXT, Sensitivity.SECRETS})


@dataclass(frozen=True)
class Policy:
    """What a snapshot takes; the defaults keep the promise of Elementary Cloud's security page.

    :param categories: the categories that are taken; all but Query logs by default.
    :param failed_rows_per_test: how many sampled rows of one test execution are taken at most.
    :param failed_rows_days: sampled rows older than this many days, by the warehouse's time, are excluded.
    :param failed_rows_excluded_tables: full table names or unique ids of dbt models, in any case, of which no sampled
        rows are taken.
    :param masked_columns: further ``table.column`` whose values are replaced by ``***``; dbt vars always are.
    :param hashed_columns: ``table.column`` whose values are replaced by a keyed hash, which differ where the values
        do; ``table.column.key`` hashes the values of one key of a JSON object.
    :param dropped_columns: ``table.column`` that are not read at all.
    :param dropped_metrics: names of metrics whose rows are excluded, as in ``max``.
    :raises ConfigurationError: a category or a column is not known or not fit for its rule, or a limit is negative.
    """

    categories: tuple[Category, ...] = DEFAULT_CATEGORIES
    failed_rows_per_test: int = 5
    failed_rows_days: int = 30
    failed_rows_excluded_tables: tuple[str, ...] = ()
    masked_columns: tuple[str, ...] = ()
    hashed_columns: tuple[str, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    dropped_metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", _categories(self.categories))
        for name in (*_COLUMN_RULES, "dropped_metrics"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        excluded = sorted({name.lower() for name in self.failed_rows_excluded_tables})
        object.__setattr__(self, "failed_rows_excluded_tables", tuple(excluded))
        if self.failed_rows_per_test < 0 or self.failed_rows_days < 0:
            raise ConfigurationError(
                "failed_rows_per_test and failed_rows_days have to be 0 or more, not "
                f"{self.failed_rows_per_test} and {self.failed_rows_days}. 0 takes no sampled rows."
            )
        if self.failed_rows_days > MOST_DAYS:
            raise ConfigurationError(
                f"failed_rows_days is {self.failed_rows_days}. Give at most {MOST_DAYS}, which excludes no row by age."
            )
        for name in self.masked_columns:
            _require_text("mask", name)
            table, column = name.split(".")
            if column in TABLES[table].required_columns:
                raise _unfit("mask", name, "a text column that identifies no rows", "Leave its category out instead.")
        for name in self.hashed_columns:
            _require_text("hash", name)
        for name in self.dropped_columns:
            table_facts, column_facts = _require_known("drop", name)
            if column_facts.name in table_facts.required_columns:
                reason = "a column without which rows can be identified and dated"
                raise _unfit("drop", name, reason, "Hash it, or leave its category out instead.")
        self._require_one_rule_each()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Policy:
        """Return the policy that :meth:`to_dict` gave.

        :raises ConfigurationError: it is of another version, with choices that this one does not have.
        """
        choices: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        try:
            return cls(**choices)
        except (TypeError, AttributeError) as error:
            raise ConfigurationError(f"The policy has other choices than this version: {error}.") from None

    @classmethod
    def without_raw_values(cls, **choices: Any) -> Policy:
        """Return a policy for a store whose readers must never see a value of the monitored tables.

        No samples, no query text, no database errors, no SQL expressions, no dbt vars, no metrics of single rows;
        dimension values become keyed hashes. What dbt users wrote by hand (descriptions, owners, tags) stays, and so
        do names and ids of tests, which dbt makes of the test's arguments where the author gives no name.

        :param choices: arguments of :class:`Policy`; they narrow this policy and never widen it.
        """
        hashed = {*_HASHED_WITHOUT_RAW_VALUES, *choices.get("hashed_columns", ())}
        sensitive = {
            f"{table.name}.{column.name}"
            for table in TABLES.values()
            for column in table.known_columns
            if column.sensitivity in _NEEDS_CARE
        }
        dropped = {*(sensitive - {_column_of(name) for name in hashed}), *choices.get("dropped_columns", ())}
        raw = (Category.FAILED_ROWS_SAMPLE, Category.QUERY_LOGS)
        wanted = _categories(choices.get("categories", DEFAULT_CATEGORIES))
        narrowed = {
            "categories": tuple(category for category in wanted if category not in raw),
            "hashed_columns": tuple(name for name in hashed if _column_of(name) not in dropped),
            "dropped_columns": tuple(dropped),
            "masked_columns": tuple(name for name in choices.get("masked_columns", ()) if name not in dropped),
            "dropped_metrics": (*_METRICS_OF_SINGLE_ROWS, *choices.get("dropped_metrics", ())),
        }
        return cls(**{**choices, **narrowed})

    def masks(self, table: Table, column: Column) -> bool:
        """Return whether the column's values are replaced."""
        return column.sensitivity is Sensitivity.SECRETS or f"{table.name}.{column.name}" in self.masked_columns

    def hashes(self, table: Table, column: Column) -> bool:
        """Return whether the column's values are replaced by a keyed hash."""
        return f"{table.name}.{column.name}" in self.hashed_columns

    def hashed_keys(self, table: Table, column: Column) -> tuple[str, ...]:
        """Return the keys of a JSON column whose values are replaced by a keyed hash."""
        prefix = f"{table.name}.{column.name}."
        return tuple(name.removeprefix(prefix) for name in self.hashed_columns if name.startswith(prefix))

    def drops(self, table: Table, column: Column) -> bool:
        """Return whether the column is not read."""
        return f"{table.name}.{column.name}" in self.dropped_columns

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as JSON values, for the manifest."""
        return {
            name: list(map(str, value)) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    def _require_one_rule_each(self) -> None:
        seen: dict[str, str] = {}
        for rule in _COLUMN_RULES:
            for name in {_column_of(name) for name in getattr(self, rule)}:
                if name in seen:
                    raise ConfigurationError(f"{name} is in both {seen[name]} and {rule}. Keep the stricter one.")
                seen[name] = rule


def _column_of(name: str) -> str:
    """Return ``table.column`` of a name to which a keyed rule applies."""
    return ".".join(name.split(".")[:2])


def _require_known(verb: str, name: str) -> tuple[Table, Column]:
    parts = name.split(".")
    table = TABLES.get(parts[0])
    column = table.column(parts[1]) if table and len(parts) == 2 else None
    if table is None or column is None:
        raise ConfigurationError(f"{name!r} is not a column of an Elementary table. Name table.column to {verb}.")
    if table.row_split is not None and column.name == table.row_split.column:
        reason = "a column that does not decide a row's category"
        raise _unfit(verb, name, reason, "Leave one of its categories out instead.")
    return table, column


def _require_text(verb: str, name: str) -> None:
    _, column = _require_known(verb, _column_of(name) if verb == "hash" else name)
    if column.type != "string":
        raise _unfit(verb, name, "a text column that identifies no rows", "Drop it, or leave its category out instead.")


def _unfit(verb: str, name: str, expected: str, advice: str) -> ConfigurationError:
    return ConfigurationError(f"{name!r} cannot be used to {verb}: it is not {expected}. {advice}")


def _categories(names: Sequence[str]) -> tuple[Category, ...]:
    try:
        wanted = {Category(name) for name in names}
    except ValueError:
        raise ConfigurationError(
            f"Not all of these are categories: {', '.join(map(str, names))}. "
            f"Categories: {', '.join(category.value for category in Category)}."
        ) from None
    if not wanted:
        raise ConfigurationError("No category is selected. Select at least one category.")
    return tuple(category for category in Category if category in wanted)


#: What connections, runs and the configuration may say. Forms, commands, options and docs are made of these rows.
PARAMETERS = (
    PolicyParameter(
        "categories",
        "categories",
        tuple(category.value for category in DEFAULT_CATEGORIES),
        "Categories",
        "Categories of information to include.",
        option="--category",
    ),
    PolicyParameter(
        "failed_rows_per_test",
        "count",
        Policy.failed_rows_per_test,
        "Failed rows per test",
        "Maximum sample rows per failed test (0 = none).",
    ),
    PolicyParameter(
        "failed_rows_days",
        "count",
        Policy.failed_rows_days,
        "Days of failed rows",
        "Sample rows older than this many days are excluded.",
    ),
    PolicyParameter(
        "failed_rows_excluded_tables",
        "names",
        Policy.failed_rows_excluded_tables,
        "Tables without failed rows",
        "Tables whose sample rows are excluded: a full name as in ANALYTICS.CORE.CUSTOMERS, or a dbt id as in "
        "model.shop.customers; upper and lower case are equal.",
        option="--exclude-table",
    ),
    PolicyParameter(
        "without_raw_values",
        "switch",
        False,
        "Exclude raw values",
        "Exclude failed rows, SQL, database errors, and minimum and maximum of columns; hash dimension values.",
    ),
    PolicyParameter(
        "dropped_columns",
        "columns",
        Policy.dropped_columns,
        "Dropped columns",
        "Columns that are not read, as in dbt_models.description.",
        option="--drop",
    ),
    PolicyParameter(
        "masked_columns",
        "columns",
        Policy.masked_columns,
        "Masked columns",
        "Columns whose values become ***, as in dbt_models.owner; dbt vars always are.",
        option="--mask",
    ),
    PolicyParameter(
        "hashed_columns",
        "keys",
        Policy.hashed_columns,
        "Hashed columns",
        "Columns whose values are replaced by a keyed hash, as in data_monitoring_metrics.dimension_value. Equal "
        "values have equal hashes.",
        option="--hash",
    ),
    PolicyParameter(
        "full_every_days",
        "number",
        7,
        "Days between full snapshots",
        "Maximum days between full snapshots; the others read only new rows. 0: every snapshot is full.",
    ),
    PolicyParameter(
        "audit_days",
        "count",
        0,
        "Days audited by each sync",
        "Number of earlier days that each sync reads again and compares with the snapshot before, other days each "
        "time. Finds rows that were replaced in place before the next full snapshot does.",
        is_free=True,
    ),
)
POLICY_NAMES = tuple(parameter.name for parameter in PARAMETERS)
