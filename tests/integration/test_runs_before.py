"""A mapped task finds what its own instance returned in the run before, as Airflow itself answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]

DAG_FILE = """
from datetime import UTC, datetime
from airflow.sdk import DAG, BaseOperator
from airflow_provider_elementary.operators.base import returned_before


class Repeat(BaseOperator):
    def __init__(self, *, shard, **kwargs):
        super().__init__(**kwargs)
        self.shard = shard

    def execute(self, context):
        before = returned_before(context)
        # In its first run the first instance returns nothing, as one that failed.
        return None if self.shard == 0 and not context["params"]["again"] else {"shard": self.shard, "before": before}


with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params={"again": False}):
    Repeat.partial(task_id="mapped").expand(shard=[0, 1, 2])
    Repeat(task_id="single", shard=7)
"""


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    (tmp_path / "mapped.py").write_text(DAG_FILE)
    bag = DagBag(str(tmp_path))
    assert not bag.import_errors
    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags["mapped"]


def returned(run: Any) -> dict[int, Any]:
    """Return what each instance returned, the single one under -1."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(XComModel).where(XComModel.run_id == run.run_id, XComModel.key == "return_value")
    with create_session() as session:
        return {found.map_index: XComModel.deserialize_value(found) for found in session.scalars(query)}


def test_each_instance_finds_its_own_where_the_first_returned_nothing(dag: DAG) -> None:
    first = returned(dag.test())
    second = returned(dag.test(run_conf={"again": True}))

    assert sorted(first) == [-1, 1, 2]
    assert {place: found["before"].get("shard") for place, found in second.items()} == {-1: 7, 0: None, 1: 1, 2: 2}
