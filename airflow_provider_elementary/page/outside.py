"""Builds addresses outside of Airflow: dbt's docs and the project's code."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_elementary.hooks.store import configured_address
from airflow_provider_elementary.project.facts import Node


@dataclass(frozen=True)
class Outside:
    """Where a node is described outside of Airflow; empty where no option says it."""

    docs: str
    code: str


def outside_of(node: Node | None) -> Outside:
    """Return where dbt's docs and the code of a node are, by the options ``dbt_docs_url`` and ``dbt_code_url``."""
    if node is None:
        return Outside("", "")
    docs, code = configured_address("dbt_docs_url"), configured_address("dbt_code_url")
    steps = [step for step in node.path.split("/") if step]
    # A path that leaves the project would lead to what somebody else wrote on the same host.
    path = "" if {".", ".."} & {*steps} else quote("/".join(steps))
    return Outside(
        docs=f"{docs.rstrip('/')}/#!/{quote(node.kind)}/{quote(node.unique_id)}" if docs else "",
        code=(code.replace("{path}", path) if "{path}" in code else f"{code.rstrip('/')}/{path}")
        if code and path
        else "",
    )
