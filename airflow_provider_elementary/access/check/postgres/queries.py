"""Loads the .sql files that query PostgreSQL's system catalog.

A query of a check yields rows of (check, excess privilege, role it comes through, statement that revokes it).
Rights are looked up for every role that the session can become, so NOINHERIT hides nothing. What PUBLIC holds on the
system's own objects since the cluster was created is not excess: ``pg_init_privs`` lists it, except for the views of
information_schema, which have low oids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

# The evidence of a pass stands in the file whose query finds nothing then.
_PROOF = re.compile(r"^-- proves ([a-z-]+): (.+)$", re.MULTILINE)


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


#: Files whose rows are put together: each answers a check in part. Any other file with a proof is a query of its own.
_TOGETHER = (
    ("administration", "parameters"),
    ("relations", "columns", "large_objects"),
    ("functions", "borrowed_rights", "servers"),
)
#: Files that ask for what older servers lack, by the first version that has it.
_SINCE = {"parameters": 150000}


def check_queries(version: int) -> list[CheckQuery]:
    """Return the queries for a server.

    :param version: its ``server_version_num``.
    """
    grouped = {name for names in _TOGETHER for name in names}
    alone = [(name,) for name in _files() if name not in grouped and _proofs(name)]
    return [
        CheckQuery(
            {check: proof for name in names for check, proof in _proofs(name).items()},
            tuple(name for name in names if version >= _SINCE.get(name, 0)),
        )
        for names in (*_TOGETHER, *alone)
    ]


def _files() -> list[str]:
    return sorted(file.name.removesuffix(".sql") for file in files(__package__).iterdir() if file.name.endswith(".sql"))


def _proofs(name: str) -> dict[str, str]:
    return dict(_PROOF.findall(load(name)))
