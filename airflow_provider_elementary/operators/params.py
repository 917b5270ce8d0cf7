"""Makes the form fields that the example DAGs share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import Param

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.snapshots.maintenance.retention import RULES, Rule
from airflow_provider_elementary.snapshots.policy import PARAMETERS
from airflow_provider_elementary.storage.records.answers import ANSWERS, REASONS

#: The example DAGs that take their schedule from ``[elementary] schedules``.
SCHEDULED_DAGS = (
    *("elementary_observability", "elementary_access_audit"),
    *("elementary_query_history", "elementary_restore_drill"),
)


def schedule_of(dag_id: str) -> str | None:
    """Return the schedule that ``[elementary] schedules`` names for an example DAG; None, the default, for none.

    Airflow's form *Trigger* also unpauses a DAG: one that has a schedule would run by it from then on.

    :raises ConfigurationError: the option is no JSON object of texts.
    """
    return schedules().get(dag_id) or None


def schedules() -> dict[str, str]:
    """Return the schedules that ``[elementary] schedules`` names, by DAG.

    :raises ConfigurationError: the option is no JSON object of texts.
    """
    try:
        found = json.loads(conf.get("elementary", "schedules", fallback="") or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ConfigurationError(
            "[elementary] schedules is no JSON object with a text for each DAG. Write it as "
            f'{{"{SCHEDULED_DAGS[0]}": "@hourly"}}.'
        )
    return found


def connection_param() -> Param:
    """Return the field that names the connection of the warehouse."""
    return Param(
        "elementary_default",
        type="string",
        minLength=1,
        title="Connection",
        description="Airflow connection of the warehouse, with the dedicated read-only role.",
    )


def store_param() -> Param:
    """Return the field that names the connection of the store, with those of ``[elementary] stores`` as a choice."""
    stores = suggested_stores()
    return Param(
        stores[0],
        type="string",
        minLength=1,
        examples=stores,
        title="Store",
        description="Airflow connection of type elementary_store, with the snapshots and their keys.",
    )


def categories_param(description: str, **facts: Any) -> Param:
    """Return a field that chooses categories; it may stay empty."""
    names = [category.value for category in Category]
    return Param(
        None,
        type=["null", "array"],
        items={"enum": names},
        examples=names,
        values_display={category.value: category.label for category in Category},
        title="Categories of information",
        description=description,
        **facts,
    )


def warehouse_params(*, unfold_probes: bool = False) -> dict[str, Param]:
    """Return the fields of a task that checks access, beside the connection; all may stay empty.

    :param unfold_probes: the canary tables are shown unfolded.
    """
    section: dict[str, Any] = {"section": "Warehouse"}
    return {
        "probes": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "minLength": 3},
            title="Canary tables (must be unreadable)",
            description="One schema.table per line. The check tries to read each and must be denied; no row is read.",
            **({} if unfold_probes else section),
        ),
        "accept_unknown": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Accepted unknown checks",
            description="After you have verified an unknown check yourself, list it here. Failed checks stop the run.",
            **section,
        ),
        "schema": Param(
            None,
            type=["null", "string"],
            title="Elementary schema",
            description="Default: that of the connection.",
            **section,
        ),
        "database": Param(
            None,
            type=["null", "string"],
            title="Elementary database",
            description="Default: that of the connection.",
            **section,
        ),
    }


def policy_params() -> dict[str, Param]:
    """Return a field for every parameter of the policy; empty means as the store's connection defines."""
    allowed = "Categories to include in this run, out of those that the store's connection allows. Empty: all."
    fields: dict[str, Param] = {
        parameter.name: Param(
            None,
            title=parameter.title,
            description=f"{'One per line. ' if parameter.is_list else ''}{parameter.description}",
            section="Data minimisation",
            **parameter.schema(),
        )
        for parameter in PARAMETERS
        if parameter.kind != "categories"
    }
    return {"categories": categories_param(allowed), **fields}


def retention_params() -> dict[str, Param]:
    """Return a field for every rule that keeps snapshots, the common ones unfolded."""
    return {
        f"keep_{name}": Param(
            rule.suggested,
            type="integer",
            minimum=-1,
            title=f"Keep {name if name != 'last' else 'the last'}",
            description=f"{rule.description} -1: all.",
            **_folded(rule),
        )
        for name, rule in sorted(RULES.items(), key=lambda item: not item[1].is_common)
    }


def answer_params() -> dict[str, Param]:
    """Return the fields of an answer to an incident; what the answer does not need stays empty."""
    text: dict[str, Any] = {"type": ["null", "string"]}
    further: dict[str, Any] = {**text, "section": "For some answers"}
    return {
        "incident_id": Param(
            type="string",
            minLength=1,
            title="Incident",
            description="Id of the incident, from the page, an alert or `airflow-elementary incidents`.",
        ),
        "answer": Param(
            "acknowledge",
            type="string",
            enum=list(ANSWERS),
            title="Answer",
            description="acknowledge: somebody looks after it. mute: no alerts for a time. expected: no alerts, and no "
            "anomaly. new-normal: metrics have a new level. resolve: it is over. merge, split: change what belongs "
            "together.",
        ),
        "reason": Param(
            None,
            **text,
            enum=[None, *REASONS],
            title="Reason",
            description="Why it is expected. Only for expected.",
        ),
        "until": Param(
            None,
            **text,
            title="Until",
            description="Date or time (UTC), as in 2026-12-01T06:00. For mute and expected.",
        ),
        "since": Param(
            None, **further, title="Since", description="Date or time (UTC) when the new level began. For new-normal."
        ),
        "assignee": Param(None, **further, title="Assignee", description="Who looks after it. For assign."),
        "note": Param(None, **text, title="Note", description="A remark, with any answer. At most 2,000 characters."),
        "into": Param(None, **further, title="Merge into", description="Id of the incident to join. For merge."),
        "conditions": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Conditions",
            description="Ids of the conditions to split off, one per line. For split.",
            section="For some answers",
        ),
    }


def from_form(names: Iterable[str]) -> dict[str, Any]:
    """Return operator arguments that take their values from the form's fields of the same names."""
    return {name: f"{{{{ params.{name} }}}}" for name in names}


def texts_from_form(names: Iterable[str]) -> dict[str, Any]:
    """Return what :func:`from_form` does, where texts may look like numbers: with native rendering they stay texts."""
    return {name: f"{{{{ params.{name} | pprint }}}}" for name in names}


def _folded(rule: Rule) -> dict[str, Any]:
    return {} if rule.is_common else {"section": "More rules"}
