"""What the documents say of each warehouse is what the registry says, and nothing more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_elementary.warehouses.kind import WarehouseKind
from airflow_provider_elementary.warehouses.registry import CONNECTABLE

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
#: The test that runs the reader of each warehouse that was run.
RUN_BY = {
    "snowflake": "tests/integration/test_sources.py",
    "postgres": "tests/integration/test_sources.py",
    "redshift": "tests/integration/test_redshift.py",
    "duckdb": "tests/integration/test_sources.py",
    "bigquery": "tests/integration/test_bigquery_driver.py",
    "databricks": "tests/integration/test_real_drivers.py",
    "clickhouse": "tests/integration/test_clickhouse.py",
    "trino": "tests/integration/test_real_drivers.py",
    "athena": "tests/integration/test_real_drivers.py",
    "spark": "tests/integration/test_spark_warehouse.py",
}
#: Words that claim more than the registry's own sentences.
_CLAIM = re.compile(r"\b(?:supported|works|proven|tested|verified)\b", re.IGNORECASE)


def test_the_readme_names_the_warehouses_that_were_read_on_their_real_engine() -> None:
    found = re.search(r"Read on the real engine: ([^.]*)\.", README.read_text())

    assert found is not None
    assert found[1].split(", ") == [kind.label for kind in CONNECTABLE if kind.reading.on == "real engine"]


def test_the_quickstart_shows_the_claims_of_the_registry() -> None:
    page = (ROOT / "docs" / "quickstart" / "other-warehouses.md").read_text()

    assert "```{facts} warehouse-proofs\n```" in page


@pytest.mark.parametrize("kind", CONNECTABLE, ids=lambda kind: kind.key)
def test_a_proof_names_what_it_ran_on(kind: WarehouseKind) -> None:
    for proof in (kind.reading, kind.access):
        assert bool(proof.what) is (proof.on != "documentation")


def test_every_claim_of_a_run_has_a_test_that_runs_it() -> None:
    run = {kind.key for kind in CONNECTABLE if kind.reading.on != "documentation"}

    assert set(RUN_BY) == run
    for key, path in RUN_BY.items():
        assert key in (ROOT / path).read_text(), f"{path} does not run {key}"


def test_no_sentence_claims_more_of_a_warehouse_that_was_never_run() -> None:
    never_run = [kind.label for kind in CONNECTABLE if kind.reading.on == "documentation"]
    named = re.compile(rf"\b(?:{'|'.join(map(re.escape, never_run))})\b")
    claims = [
        f"{page.relative_to(ROOT)}: {sentence.strip()[:120]}"
        for page in PAGES
        for sentence in re.split(r"(?<=[.:;])\s", page.read_text())
        if named.search(sentence) and _CLAIM.search(sentence) and "|" not in sentence
    ]

    assert claims == []
