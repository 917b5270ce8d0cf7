"""Builds addresses outside of Airflow: dbt's docs and the project's code."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_elementary.project.facts import Node

_SECTION = "elementary"


@dataclass(frozen=True)
class Outside:
    """Where a node is described outside of Airflow; empty where no option says it."""

    docs: str
    code: str


def outside_of(node: Node | None) -> Outside:
    """Return where dbt's docs and the code of a node are, by the options ``dbt_docs_url`` and ``dbt_code_url``."""
    if node is None:
        return Outside("", "")
    docs, code = _option("dbt_docs_url"), _option("dbt_code_url")
    path = quote(node.path.strip("/"), safe="/")
    return Outside(
        docs=f"{docs.rstrip('/')}/#!/{node.kind}/{quote(node.unique_id)}" if docs else "",
        code=(code.replace("{path}", path) if "{path}" in code else f"{code.rstrip('/')}/{path}")
        if code and path
        else "",
    )


def _option(name: str) -> str:
    """Return an option that is an address; any other text is not one to follow."""
    from airflow.configuration import conf

    text = str(conf.get(_SECTION, name, fallback="") or "").strip()
    return text if text.lower().startswith(("https://", "http://")) else ""
