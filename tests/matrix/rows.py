"""Lists the environments of the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Copies of the constraint files that Airflow and Amazon MWAA publish.
CONSTRAINTS = Path(__file__).with_name("constraints")
#: What the row "lowest" sees of the registry: nothing that was published later.
LOWEST_DATE = "2026-08-01"


@dataclass(frozen=True)
class Row:
    """One environment.

    :param name: what the table calls it.
    :param python: the interpreter's version.
    :param airflow: the version of Airflow to ask for; empty for the newest.
    :param constraints: a file in :data:`CONSTRAINTS`.
    :param also: further requirements, where Airflow itself fails without them.
    :param lowest: whether to install the lowest versions that setup.cfg names.
    :param unit: whether the unit tests run too; the demo always does.
    :param stopped_by: the pin of the constraint file that rules this environment out.
    """

    name: str
    python: str
    airflow: str = ""
    constraints: str = ""
    also: tuple[str, ...] = ()
    lowest: bool = False
    unit: bool = False
    stopped_by: str = ""


ROWS = (
    Row(
        "Airflow's constraints",
        "3.12",
        "3.2.1",
        "airflow-3.2.1-python3.12.txt",
        # Earlier releases of pyarrow cannot encrypt a file with a given key.
        stopped_by="pyarrow==23.0.1",
    ),
    Row("Airflow's constraints", "3.12", "3.3.1", "airflow-3.3.1-python3.12.txt", unit=True),
    # Airflow 3.2 does not run a task with pydantic 2.14, which MWAA's essential pins leave open.
    Row("MWAA's constraints", "3.12", "3.2.1", "mwaa-3.2.1-essential.txt", also=("pydantic<2.14",)),
    Row("MWAA's constraints", "3.12", "3.3.1", "mwaa-3.3.1-essential.txt"),
    Row("newest neighbours", "3.12", "3.1.8"),
    Row("lowest", "3.11", lowest=True, unit=True),
    Row("newest", "3.12"),
    Row("newest", "3.13", unit=True),
)
