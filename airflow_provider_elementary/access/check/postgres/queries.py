"""The questions that PostgreSQL's catalogue is asked; :mod:`.postgres` asks them and judges the answers.

Each yields rows of (check, hole, role it comes through, statement that closes it). Rights are looked up for every role
that the session can become, so NOINHERIT hides nothing. What PUBLIC held in the system's own schemas when the cluster
was made is no hole: ``pg_init_privs`` has it, but for information_schema's views, which are known by their low oids.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_elementary.access.check.postgres import escalations as escapes
from airflow_provider_elementary.access.check.postgres import privileges as rights

_REACH = """
WITH RECURSIVE target AS (
  SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = CAST({schema} AS text)
), member AS (
  SELECT oid, rolname, 0 AS depth FROM pg_catalog.pg_roles WHERE rolname IN (session_user, current_user)
  UNION
  SELECT r.oid, r.rolname, member.depth + 1
  FROM member
  JOIN pg_catalog.pg_auth_members m ON m.member = member.oid
  JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
), reach AS (
  SELECT oid, rolname::text AS name, quote_ident(rolname) AS quoted, max(depth) AS depth FROM member GROUP BY 1, 2, 3
  UNION ALL
  SELECT 0, 'PUBLIC', 'PUBLIC', 1000
)
"""

SESSION = """
SELECT session_user::text, current_user::text, current_database()::text, host(inet_client_addr()),
       s.ssl, s.version, current_setting('server_version_num')::int
FROM (SELECT pg_backend_pid() AS pid) me
LEFT JOIN pg_catalog.pg_stat_ssl s ON s.pid = me.pid
"""

ROLES = """
SELECT name, depth::int FROM reach WHERE oid <> 0 ORDER BY depth, name
"""

SCHEMA = """
SELECT c.relname::text,
       has_schema_privilege(target.oid, 'USAGE') AND coalesce(has_table_privilege(c.oid, 'SELECT'), true),
       EXISTS (
         SELECT FROM pg_catalog.pg_default_acl d, aclexplode(d.defaclacl) a, reach
         WHERE d.defaclrole = c.relowner AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, target.oid)
           AND a.grantee = reach.oid AND a.privilege_type = 'SELECT'
       ),
       pg_get_userbyid(c.relowner)::text
FROM target LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = target.oid AND c.relkind IN ('r', 'p')
"""

OUTSIDE = """
SELECT nspname, relname FROM (
  SELECT n.nspname::text, c.relname::text,
         row_number() OVER (PARTITION BY n.oid ORDER BY c.relkind IN ('v', 'm', 'f'), c.relname) AS nth
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM target WHERE target.oid = n.oid)
) candidate
ORDER BY nth, nspname
LIMIT 8
"""

EXISTS = """
SELECT count(*)::int FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = CAST({schema} AS text) AND c.relname = CAST({name} AS text)
"""


_LISTED = """
SELECT finding, hole, through, mend, total
FROM (
  SELECT f.*, (count(*) OVER (PARTITION BY finding))::int AS total,
         row_number() OVER (PARTITION BY finding ORDER BY hole) AS nth
  FROM (SELECT DISTINCT * FROM found) f
) listed
WHERE nth <= 100
ORDER BY finding, hole
"""


@dataclass(frozen=True)
class Question:
    """One statement and the checks that it settles.

    :param proofs: the evidence of a pass, by check.
    :param body: a query of (check, hole, through, mend); ``reach`` and ``target`` are at hand.
    """

    proofs: dict[str, str]
    body: str

    def statement(self, bind: str) -> str:
        """Return the whole statement: of each check at most 100 holes, with how many there are.

        :param bind: the placeholder of the one parameter, the name of the schema.
        """
        return "".join(
            (in_reach("", bind).rstrip(), f", found(finding, hole, through, mend) AS ({self.body})", _LISTED)
        )


def in_reach(statement: str, bind: str) -> str:
    """Return a statement that knows ``target``, the schema, and ``reach``, the roles that the session can become.

    :param bind: the placeholder of the one parameter, the name of the schema.
    """
    return "".join((_REACH.replace("{schema}", bind), statement))


_NO_RIGHT = "no role in reach, nor PUBLIC, holds"


def questions(version: int) -> list[Question]:
    """Return what to ask a server.

    :param version: its ``server_version_num``.
    """
    return [
        Question(
            {"administrative-rights": "no role in reach is an administrator in any way, or may set a parameter"},
            rights.ADMINISTRATION + ("UNION ALL" + rights.PARAMETERS if version >= 150000 else ""),
        ),
        Question({"role-memberships": "every role in reach holds only what the sync needs"}, rights.MEMBERSHIPS),
        Question(
            {
                "reads-outside-schema": f"{_NO_RIGHT} SELECT on a table, column or large object outside the schema",
                "writes-inside-schema": f"{_NO_RIGHT} more than SELECT on a table or column of the schema",
                "writes-outside-schema": f"{_NO_RIGHT} a right to change anything outside the schema",
            },
            rights.RELATIONS + "UNION ALL" + rights.COLUMNS + "UNION ALL" + rights.LARGE_OBJECTS,
        ),
        Question(
            {
                "creates-objects": f"{_NO_RIGHT} CREATE on the database, a schema or a tablespace",
                "temporary-objects": f"{_NO_RIGHT} TEMPORARY on the database",
            },
            rights.CREATION,
        ),
        Question({"ownership": "no role in reach owns anything in any database"}, rights.OWNERSHIP),
        Question({"future-grants": "default privileges give SELECT inside the schema at most"}, rights.FUTURE),
        Question(
            {"objects-reaching-outside": "no view or table of the schema lends rights to data outside it"},
            escapes.ESCAPES,
        ),
        Question(
            {
                "definer-functions": f"{_NO_RIGHT} EXECUTE on a SECURITY DEFINER function",
                "server-functions": f"{_NO_RIGHT} EXECUTE on a function that PostgreSQL keeps from ordinary roles",
                "untrusted-languages": f"{_NO_RIGHT} EXECUTE on a function in an untrusted language",
                "foreign-servers": f"{_NO_RIGHT} USAGE on a foreign server, a user mapping or dblink",
            },
            escapes.FUNCTIONS + "UNION ALL" + escapes.SERVERS,
        ),
        Question(
            {"other-databases": f"{_NO_RIGHT} CONNECT to another database than this and PostgreSQL's own templates"},
            escapes.DATABASES,
        ),
    ]
