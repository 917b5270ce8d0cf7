"""Tests that the format page shows the layout and a manifest as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import open_store
from airflow_provider_elementary.snapshots.manifest_document import MANIFEST
from airflow_provider_elementary.storage import layout
from airflow_provider_elementary.storage.documents import sha256
from tests.docs.blocks import ROOT, blocks_of

PAGE = ROOT / "docs" / "format.md"
BLOCKS = {block.name: block.source for block in blocks_of(PAGE) if block.name}
#: What stands for a name that varies, by the name that the functions of the layout are called with.
PLACEHOLDERS = {
    "SNAPSHOT": "<snapshot id>",
    "TABLE": "<table>",
    "metadata": "<category>",
    "metrics": "<kind>",
    "CONNECTION": "<connection>",
    "PART": "<part>",
    "ATTEMPT": "<attempt>",
}


def tree_of(lines: list[str]) -> set[str]:
    """Return the paths of a tree that indents by two spaces."""
    folders: list[str] = []
    paths = set()
    for line in lines:
        name = line.strip().split("  ")[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name]
        if not name.endswith("/"):
            paths.add("".join(folders))
    return paths


def names_of_the_layout() -> set[str]:
    run, series = layout.result_id("run"), sha256(b"series")[:32]
    made = {
        layout.manifest_key(1),
        layout.record_key(1),
        layout.data_file("SNAPSHOT", "TABLE", Category.METADATA),
        layout.data_file("SNAPSHOT", "TABLE", Category.METADATA, "PART-ATTEMPT"),
        layout.plan_key("SNAPSHOT"),
        layout.part_key("SNAPSHOT", "PART-ATTEMPT"),
        layout.GENESIS,
        layout.signer_key(1),
        layout.generation_key(1, "SNAPSHOT"),
        *(layout.index_key(width, 0) for width in (4, 16, 64, 256, 1024)),
        layout.series_key(layout.result_series("metrics", "series"), 1).replace(series, "<series>"),
        layout.result_file("metrics", "series", "run", "ATTEMPT", Category.METADATA)
        .replace(run, "<run>")
        .replace(series, "<series>"),
        *(
            layout.result_file("metrics", "series", "run", "ATTEMPT", Category.METADATA, periods)
            .replace(run, "<run>")
            .replace(series, "<series>")
            for periods in ("<first>-<last>", "<first>-<last>.<first>-<last>")
        ),
        layout.series_key(layout.access_folder("CONNECTION"), 1),
        layout.series_key(layout.FEEDBACK, 1),
        layout.kept_key("series").replace(series, "<task>"),
    }
    pattern = "|".join(map(re.escape, PLACEHOLDERS))
    return {re.sub(pattern, lambda match: PLACEHOLDERS[match.group()], name) for name in made}


def fields_of(document: Any) -> Any:
    """Return the names of the fields of a manifest, nested ones included."""
    nested = ("consistency", "source", "parent", "generation")
    return {name: sorted(value) if name in nested and value else None for name, value in document.items()}


def test_the_tree_is_that_of_the_layout() -> None:
    assert tree_of(BLOCKS["format-layout"].splitlines()) == names_of_the_layout()


def test_the_example_is_a_manifest_with_every_field() -> None:
    shown = json.loads(BLOCKS["format-example"])

    manifest = MANIFEST.read(json.dumps(shown).encode(), "the example")

    assert json.loads(MANIFEST.write(manifest)) == shown


def test_the_example_has_the_fields_of_a_real_manifest(taken_store: Path) -> None:
    store = open_store(taken_store.as_uri())
    contents = [store.get(layout.manifest_key(number)) or b"" for number in (1, 2)]
    first, real = (json.loads(content.partition(b"\n")[2]) for content in contents)
    shown = json.loads(BLOCKS["format-example"])

    assert fields_of(shown) == fields_of(real)
    assert sorted(shown["added"]) == sorted(first["added"])
    assert sorted(shown["tables"]["dbt_groups"]) == sorted(real["tables"]["dbt_groups"])


def test_every_field_is_described() -> None:
    shown = json.loads(BLOCKS["format-example"])
    page = PAGE.read_text()
    described = set(re.findall(r"`(\w+)`", page.partition("## Manifest")[2].partition("## Keys")[0]))

    fields = {*shown, *shown["consistency"], *shown["added"], *shown["tables"]["dbt_groups"], *shown["parent"]}
    assert fields - described == set()
