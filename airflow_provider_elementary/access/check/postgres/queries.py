"""Loads the .sql files that query PostgreSQL's system catalog.

A query of a check yields rows of (check, excess privilege, role it comes through, statement that revokes it).
Rights are looked up for every role that the session can become, so NOINHERIT hides nothing. What PUBLIC holds on the
system's own objects since the cluster was created is not excess: ``pg_init_privs`` lists it, except for the views of
information_schema, which have low oids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@cache
def load(name: str) -> str:
    """Return the SQL of one file.

    :param name: the file's name without ``.sql``.
    """
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8").rstrip()


def bind_names(statement: str, bind: str) -> str:
    """Return a statement with the driver's placeholders in place of ``:schema`` and ``:name``.

    :param bind: how the driver marks the first bound value: ``$1``, ``%s`` or ``?``.
    """
    # Of numbered placeholders, the name is the second.
    return statement.replace(":schema", bind).replace(":name", bind.replace("1", "2"))


def with_roles(name: str, bind: str) -> str:
    """Return a query that can use ``target``, the schema, and ``reach``, the reachable roles.

    :param name: the file of the query.
    :param bind: the placeholder of the one parameter, the name of the schema.
    """
    return bind_names(f"{load('reachable')}\n{load(name)}", bind)


@dataclass(frozen=True)
class CheckQuery:
    """One statement and the checks that it answers.

    :param proofs: the evidence of a pass, by check.
    :param parts: the files of the queries whose rows are put together.
    """

    proofs: dict[str, str]
    parts: tuple[str, ...]

    def statement(self, bind: str) -> str:
        """Return the statement: at most 100 excess privileges of each check, and their total.

        :param bind: the placeholder of the one parameter, the name of the schema.
        """
        found = "\nUNION ALL\n".join(map(load, self.parts))
        return bind_names(
            f"{load('reachable')}, found(finding, privilege, through, remediation) AS (\n{found}\n)\n{load('listed')}",
            bind,
        )


_NO_RIGHT = "no reachable role, nor PUBLIC, holds"


def check_queries(version: int) -> list[CheckQuery]:
    """Return the queries for a server.

    :param version: its ``server_version_num``.
    """
    return [
        CheckQuery(
            {"administrative-rights": "no reachable role is an administrator in any way, or may set a parameter"},
            ("administration", "parameters") if version >= 150000 else ("administration",),
        ),
        CheckQuery({"role-memberships": "every reachable role holds only what the sync needs"}, ("memberships",)),
        CheckQuery(
            {
                "reads-outside-schema": f"{_NO_RIGHT} SELECT on a table, column or large object outside the schema",
                "writes-inside-schema": f"{_NO_RIGHT} more than SELECT on a table or column of the schema",
                "writes-outside-schema": f"{_NO_RIGHT} a right to change anything outside the schema",
            },
            ("relations", "columns", "large_objects"),
        ),
        CheckQuery(
            {
                "creates-objects": f"{_NO_RIGHT} CREATE on the database, a schema or a tablespace",
                "temporary-objects": f"{_NO_RIGHT} TEMPORARY on the database",
            },
            ("creation",),
        ),
        CheckQuery({"ownership": "no reachable role owns anything in any database"}, ("ownership",)),
        CheckQuery({"future-grants": "default privileges give SELECT inside the schema at most"}, ("future",)),
        CheckQuery(
            {"objects-reaching-outside": "no view or table of the schema lends rights to data outside it"},
            ("reaching_outside",),
        ),
        CheckQuery(
            {
                "definer-functions": f"{_NO_RIGHT} EXECUTE on a SECURITY DEFINER function or on what calls one",
                "server-functions": f"{_NO_RIGHT} EXECUTE on a function that PostgreSQL keeps from ordinary roles",
                "untrusted-languages": f"{_NO_RIGHT} EXECUTE on a function in an untrusted language",
                "foreign-servers": f"{_NO_RIGHT} USAGE on a foreign server, a user mapping or dblink",
            },
            ("functions", "borrowed_rights", "servers"),
        ),
        CheckQuery(
            {"other-privileges": "no reachable role may grant to others what it has; other checks cover the rest"},
            ("grant_options",),
        ),
        CheckQuery(
            {"other-databases": f"{_NO_RIGHT} CONNECT to another database than this and PostgreSQL's own templates"},
            ("databases",),
        ),
    ]
