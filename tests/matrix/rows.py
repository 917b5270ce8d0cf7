"""Lists the environments of the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Copies of the constraint files that Airflow and Amazon MWAA publish.
CONSTRAINTS = Path(__file__).with_name("constraints")
#: The row "lowest" sees no release that was published later.
LOWEST_DATE = "2026-08-01"
#: Below tests/unit, what no installed version changes: the repository's files, its build, the matrix; and benchmarks,
#: which do the work of other tests again, on more rows.
SAME_IN_EVERY_ROW = (
    *("benchmarks", "deploy", "release"),
    *("test_frontend.py", "test_matrix.py", "test_names.py", "test_suite.py"),
)
#: Below tests/unit, the files of four seconds and more that try one thing many times. The rows share their tests: each
#: row runs some of every file, and all rows together run each test once.
SHARED = (
    "anomalies/elementary/test_parity.py",
    "anomalies/elementary/test_parity_of_other_projects.py",
    "anomalies/elementary/test_rule.py",
    "anomalies/elementary/test_score.py",
    "anomalies/robust/model/test_calendar.py",
    "anomalies/robust/model/test_detector.py",
    "anomalies/robust/model/test_long_run.py",
    "anomalies/robust/model/test_ranges.py",
    "anomalies/robust/test_state_store.py",
    "anomalies/test_configurations.py",
    "anomalies/test_detect_recent.py",
    "anomalies/test_feedback.py",
    "anomalies/test_stored_metrics.py",
    "incidents/test_anomaly_conditions.py",
    "incidents/test_dbt_conditions.py",
    "incidents/test_earlier_results.py",
    "incidents/test_removed.py",
    "incidents/test_store_results.py",
    "metrics/test_by_day.py",
    "metrics/test_by_day_policies.py",
    "metrics/test_compute_of_open_statuses.py",
    "metrics/test_removed_snapshots.py",
    "query_history/test_stored_usage.py",
    "snapshots/maintenance/test_prune.py",
    "snapshots/test_index.py",
    "snapshots/test_repository_in_a_task.py",
    "test_invocations.py",
)


@dataclass(frozen=True)
class Row:
    """One environment.

    :param name: what the table calls it where it has no constraint file.
    :param python: the version of the interpreter.
    :param airflow: the version of Airflow to install; empty for the one that the resolution finds.
    :param constraints: a file in :data:`CONSTRAINTS`.
    :param also: further requirements, where Airflow itself fails without them.
    :param extras: the extras to install.
    :param lowest: whether to install the lowest versions that setup.cfg names.
    :param pip: whether to install with pip instead of uv.
    :param unit: whether the unit tests run too, but for :data:`SAME_IN_EVERY_ROW` and what other rows run of
        :data:`SHARED`; the demo always does.
    :param stopped_by: the pin of the constraint file with which the package cannot be installed.
    """

    name: str
    python: str
    airflow: str = ""
    constraints: str = ""
    also: tuple[str, ...] = ()
    extras: tuple[str, ...] = ("mail", "openlineage", "postgres")
    lowest: bool = False
    pip: bool = False
    unit: bool = False
    stopped_by: str = ""

    @property
    def title(self) -> tuple[str, str, str]:
        """The first columns of the table: Airflow, Python, constraints."""
        return self.airflow or "resolved", self.python, self.constraints or self.name

    @property
    def installed_extras(self) -> tuple[str, ...]:
        """The extras to install, with what the unit tests need."""
        return (*self.extras, "unit") if self.unit else self.extras

    @property
    def deadline(self) -> float:
        """The seconds after which the row is ended as hanging; a quiet machine needs a fifth to a third of them."""
        return 1800 if self.unit or self.pip else 900


ROWS = (
    # Earlier releases of pyarrow cannot encrypt a file with a given key.
    Row("", "3.12", "3.2.1", "airflow-3.2.1-python3.12.txt", stopped_by="pyarrow==23.0.1"),
    Row("", "3.12", "3.3.1", "airflow-3.3.1-python3.12.txt", unit=True),
    # Airflow 3.2 runs no task with later ones, which MWAA's essential pins leave open.
    Row("", "3.12", "3.2.1", "mwaa-3.2.1-essential.txt", also=("cadwyn<7", "fastapi<0.137")),
    Row("", "3.12", "3.3.1", "mwaa-3.3.1-essential.txt"),
    Row("none", "3.12", "3.1.8"),
    Row("lowest", "3.11", lowest=True, unit=True),
    # What pip and uv find when nothing is pinned: an Airflow that runs tasks.
    Row("none, pip", "3.12", pip=True),
    Row("none, extra dev", "3.12", extras=("dev",)),
    Row("none", "3.13", unit=True),
)
