"""Checks a BigQuery session by the permissions that Google says it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from airflow_provider_elementary.access.check.findings import (
    ExcessPrivilege,
    Inspection,
    Link,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.privileges import (
    BY_HAND,
    TRIED,
    ask,
    evaluate_each,
    evaluate_readable,
    probed,
    tried,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.access.check.view_references import evaluate_views
from airflow_provider_elementary.quoting import identifier

#: Permissions that a reader may not have on the project, and the checks that they fail.
_ON_PROJECT: Mapping[str, tuple[str, ...]] = {
    "bigquery.tables.getData": ("reads-outside-schema", "future-grants"),
    "bigquery.jobs.listAll": ("reads-outside-schema",),
    "bigquery.tables.updateData": ("writes-outside-schema", "future-grants"),
    "bigquery.tables.update": ("writes-outside-schema",),
    "bigquery.tables.delete": ("writes-outside-schema",),
    "bigquery.tables.create": ("creates-objects",),
    "bigquery.datasets.create": ("creates-objects",),
    "bigquery.routines.create": ("creates-objects",),
    "bigquery.models.create": ("creates-objects",),
    "bigquery.datasets.update": ("administrative-rights",),
    "bigquery.tables.setIamPolicy": ("administrative-rights",),
    "resourcemanager.projects.setIamPolicy": ("administrative-rights",),
    "iam.serviceAccounts.actAs": ("administrative-rights",),
    "iam.serviceAccounts.getAccessToken": ("administrative-rights",),
    "iam.serviceAccountKeys.create": ("administrative-rights",),
    "bigquery.connections.use": ("foreign-servers",),
    "bigquery.routines.get": ("definer-functions",),
    "bigquery.datasets.get": ("other-privileges",),
    "bigquery.reservations.update": ("other-privileges",),
    "storage.objects.get": ("other-privileges",),
    "storage.objects.create": ("other-privileges",),
}
#: The same on one table of the schema, and on one outside it.
_INSIDE: Mapping[str, str] = {
    "bigquery.tables.updateData": "writes-inside-schema",
    "bigquery.tables.update": "writes-inside-schema",
    "bigquery.tables.delete": "writes-inside-schema",
    "bigquery.tables.setIamPolicy": "administrative-rights",
}
_OUTSIDE: Mapping[str, str] = {
    "bigquery.tables.getData": "reads-outside-schema",
    "bigquery.tables.updateData": "writes-outside-schema",
    "bigquery.tables.delete": "writes-outside-schema",
    "bigquery.tables.setIamPolicy": "administrative-rights",
}
_READERS = frozenset({"READER", "roles/bigquery.dataViewer", "roles/bigquery.metadataViewer"})
_REMEDY = "Remove the binding; `airflow-elementary grants bigquery` prints what the account needs."
#: Google says of this call that it may name a permission that is not held, so that only an empty answer is a proof.
_PROOF = "Google names no such permission of the account"
_NOT_SAID = "Google did not say which permissions the account has"
_FROM_PROJECT = ("administrative-rights", "future-grants", "foreign-servers", "other-privileges")


Listed = TypeVar("Listed")


class BigQuerySession(Session, Protocol):
    """A session that also asks Google which permissions it has."""

    def permissions(self, asked: Sequence[str], place: tuple[str, str] | None = None) -> set[str]:
        """Return those of the permissions asked that are held: on a dataset's table, or on the project.

        :raises StatementDeniedError: Google did not answer.
        """
        ...

    def projects(self) -> list[str]:
        """Return the projects that the account sees."""
        ...

    def datasets(self) -> list[str]:
        """Return the datasets of the project that the account sees."""
        ...

    def dataset_tables(self, dataset: str) -> list[str]:
        """Return the tables of a dataset."""
        ...

    def bindings(self) -> list[tuple[str, str]]:
        """Return who is bound to the Elementary dataset, and with which role."""
        ...


def inspect(session: BigQuerySession, probes: Sequence[str]) -> Inspection:
    """Inspect a BigQuery session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user = str((ask(session, "SELECT SESSION_USER()") or [("unknown",)])[0][0])
    project = _permissions(session, list(_ON_PROJECT))
    datasets = _listed(session.datasets)
    inside = _listed(partial(session.dataset_tables, session.schema)) or []
    outside = [
        (dataset, name)
        for dataset in datasets or []
        if dataset != session.schema
        for name in (_listed(partial(session.dataset_tables, dataset)) or [])
    ]
    excess = [
        ExcessPrivilege(check, f"{permission} on the project", _REMEDY)
        for permission in sorted(project or ())
        for check in _ON_PROJECT.get(permission, ())
    ]
    held_inside, inside_known = _on_tables(session, [(session.schema, name) for name in sorted(inside)], _INSIDE)
    held_outside, _ = _on_tables(session, sorted(outside)[:TRIED], _OUTSIDE)
    excess += held_inside + held_outside
    bound, bindings_known = _bound(session, user)
    excess += bound
    is_known = project is not None
    return Inspection(
        user=user,
        roles=(),
        findings=[
            *evaluate_each(_FROM_PROJECT, excess, is_known=is_known, proof=_PROOF, otherwise=_NOT_SAID),
            *evaluate_each(
                ["reads-outside-schema", "writes-outside-schema"],
                excess,
                # A dataset's own binding may let the account in where nothing lists it: in this project or another.
                is_known=False,
                proof="",
                otherwise="hidden datasets, those of other projects and public ones cannot be listed",
            ),
            *evaluate_each(
                ["writes-inside-schema"],
                excess,
                is_known=bool(inside) and inside_known,
                proof=f"{_PROOF} on any of the dataset's {len(inside)} tables",
                otherwise=_NOT_SAID,
            ),
            *evaluate_each(
                ["creates-objects"],
                excess,
                is_known=is_known and bindings_known,
                proof=f"{_PROOF}, and every binding of the dataset reads only",
                otherwise="a group that the account may be in is bound to the dataset, or its bindings are hidden",
            ),
            _other_projects(session),
            _routines(session, excess),
            _views(session),
            evaluate_readable(session, inside),
            *not_applicable(["ownership"], "BigQuery's objects have bindings, and no owner beside them"),
            *not_applicable(["secondary-roles"], "BigQuery has no secondary roles"),
            *not_applicable(["temporary-objects"], "temporary tables are in a hidden dataset of the account's own"),
            *not_applicable(
                ["server-functions", "untrusted-languages"],
                "BigQuery's SQL cannot reach its servers' files, and JavaScript runs in a sandbox",
            ),
        ],
        link=Link(),
        canaries=[*probed(session, probes), *tried(session, outside)],
    )


def _permissions(
    session: BigQuerySession, asked: Sequence[str], place: tuple[str, str] | None = None
) -> set[str] | None:
    try:
        return session.permissions(asked, place)
    except StatementDeniedError:
        return None


def _listed(call: Callable[[], list[Listed]]) -> list[Listed] | None:
    try:
        return call()
    except StatementDeniedError:
        return None


def _on_tables(
    session: BigQuerySession, places: Sequence[tuple[str, str]], checks: Mapping[str, str]
) -> tuple[list[ExcessPrivilege], bool]:
    """Return the excess on these tables, and whether Google answered for each."""
    excess, is_known = [], True
    for place in places:
        held = _permissions(session, list(checks), place)
        is_known = is_known and held is not None
        excess += [
            ExcessPrivilege(checks[permission], f"{permission} on {'.'.join(place)}", _REMEDY)
            for permission in sorted(held or ())
            if permission in checks
        ]
    return excess, is_known


def _bound(session: BigQuerySession, user: str) -> tuple[list[ExcessPrivilege], bool]:
    """Return what the dataset's bindings give beyond reading, and whether they show all that they give."""
    bindings = _listed(session.bindings)
    if bindings is None:
        return [], False
    wider = [(who, role) for who, role in bindings if role not in _READERS]
    everyone = ("allUsers", "allAuthenticatedUsers", user)
    excess = [
        ExcessPrivilege("creates-objects", f"{role} on the dataset for {who}", _REMEDY)
        for who, role in wider
        if who in everyone
    ]
    # Another account's binding gives nothing; a group's may, since its members do not show. Project-wide groups count
    # by what was asked of the project.
    groups = [who for who, _ in wider if who not in everyone and not who.endswith(".gserviceaccount.com")]
    return excess, not [who for who in groups if who not in ("projectOwners", "projectWriters", "projectReaders")]


def _other_projects(session: BigQuerySession) -> AccessFinding:
    name = "other-databases"
    projects = _listed(session.projects)
    if projects is None:
        return unanswered(name, "Google did not list the account's projects", BY_HAND)
    others = [
        ExcessPrivilege(name, f"the project {each} is visible", _REMEDY)
        for each in projects
        if each != session.database
    ]
    otherwise = "the account lists no other project; a dataset may be shared with it, or be public, without that"
    return evaluate_each([name], others, is_known=False, proof="", otherwise=otherwise)[0]


def _routines(session: BigQuerySession, excess: Sequence[ExcessPrivilege]) -> AccessFinding:
    name = "definer-functions"
    rows = ask(session, f"SELECT routine_name FROM {_catalog(session, 'ROUTINES')}")  # noqa: S608 - quoted
    return evaluate_each(
        [name],
        excess,
        is_known=rows == [],
        proof="the dataset holds no routine, and the account sees none of the project",
        otherwise="routines of the dataset may be authorized to read other datasets",
    )[0]


def _views(session: BigQuerySession) -> AccessFinding:
    rows = ask(session, f"SELECT table_name, view_definition FROM {_catalog(session, 'VIEWS')}")  # noqa: S608 - quoted
    if rows is None:
        return unanswered("objects-reaching-outside", "BigQuery did not list the views", BY_HAND)
    views = [(str(name), text) for name, text in rows]
    return evaluate_views(views, "bigquery", session.database or "", session.schema)


def _catalog(session: Session, view: str) -> str:
    names = [session.database, session.schema] if session.database else [session.schema]
    return ".".join([*(identifier(name, "bigquery") for name in names), "INFORMATION_SCHEMA", view])
