"""Creates grants for PostgreSQL."""

from __future__ import annotations

from functools import partial

from airflow_provider_elementary.access.grants.request import GrantRequest, commented, short_enough
from airflow_provider_elementary.quoting import identifier, literal

_identifier, _literal = partial(identifier, dialect="postgres"), partial(literal, dialect="postgres")

_LONGEST_NAME = 63

_CREATE_ROLE = """\
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
    CREATE ROLE {role} {login};
  END IF;"""

# PostgreSQL cannot deny: what PUBLIC holds, every role holds. Roles that the reader is in get nothing, nor do the
# groups of managed services, which it may have to join to log in. A role that holds a right of its own, or as the
# owner, keeps it, so that the undo takes nothing away.
_TAKE_FROM_PUBLIC = """\
  FOR held IN
    {held}
  LOOP
    IF NOT pg_has_role(current_user, held.owner, 'USAGE') THEN
      RAISE WARNING '% on % stays open to PUBLIC: only its owner can close it', held.privilege, held.place;
      CONTINUE;
    END IF;
    FOR other IN
      SELECT rolname FROM pg_catalog.pg_roles
      WHERE rolname NOT IN ({role}, {user}) AND NOT pg_has_role({user}, oid, 'MEMBER')
        AND (rolcanlogin OR rolname !~ '^(pg_|rds_|cloudsql|azure_)') AND NOT rolsuper AND NOT oid = ANY (held.holders)
    LOOP
      EXECUTE format('GRANT %s ON %s TO %I', held.privilege, held.place, other);
      RAISE NOTICE 'undo: REVOKE % ON % FROM %;', held.privilege, held.place, quote_ident(other);
    END LOOP;
    EXECUTE format('REVOKE %s ON %s FROM PUBLIC', held.privilege, held.place);
    RAISE NOTICE 'undo: GRANT % ON % TO PUBLIC;', held.privilege, held.place;
  END LOOP;"""

_HELD_HERE = """\
SELECT 'DATABASE ' || quote_ident(d.datname) AS place, d.datdba AS owner, a.privilege_type AS privilege,
           ARRAY(SELECT x.grantee FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
                 WHERE x.privilege_type = a.privilege_type) AS holders
    FROM pg_catalog.pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = current_database() AND a.grantee = 0 AND a.privilege_type IN ('TEMPORARY', 'CREATE')
    UNION ALL
    SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspowner, a.privilege_type,
           ARRAY(SELECT x.grantee FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x
                 WHERE x.privilege_type = a.privilege_type)
    FROM pg_catalog.pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
    WHERE a.grantee = 0 AND a.privilege_type = 'CREATE'"""

_HELD_ELSEWHERE = """\
SELECT 'DATABASE ' || quote_ident(d.datname) AS place, d.datdba AS owner, a.privilege_type AS privilege,
           ARRAY(SELECT x.grantee FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
                 WHERE x.privilege_type = a.privilege_type) AS holders
    FROM pg_catalog.pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datallowconn AND d.datname <> current_database() AND d.datname NOT IN ('template0', 'template1')
      AND a.grantee = 0 AND a.privilege_type = 'CONNECT'"""

_DEFAULT_PRIVILEGES = """\
  FOR owner IN
    SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = {schema_literal}
    UNION SELECT pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = {schema_literal}
  LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
                   owner, {schema_literal}, {role_literal});
  END LOOP;"""


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements; run them in the database that holds the schema."""
    created = create_postgres_reader(reader)
    role, schema = _identifier(reader.role), _identifier(reader.schema)
    return [
        *created,
        connect(reader, role),
        f"GRANT USAGE ON SCHEMA {schema} TO {role};",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
        _future_tables(reader, role, schema),
        *limit_reader(reader),
    ]


def create_postgres_reader(reader: GrantRequest) -> list[str]:
    """Return the statements that create the role and the user."""
    for name in ("role", "user", "schema", "database", "dbt_role"):
        short_enough(getattr(reader, name) or "", _LONGEST_NAME, "PostgreSQL")
    role, user = _identifier(reader.role), _identifier(reader.user)
    granted = [
        create_role(reader.role),
        commented(
            create_role(reader.user, "LOGIN"),
            f"The user has no password yet: set one in psql with \\password {user}, or let it log in by certificate.",
            *_host_based_authentication(reader),
        ),
        f"GRANT {role} TO {user};",
    ]
    return granted if reader.role != reader.user else granted[1:2]


def create_role(name: str, login: str = "NOLOGIN") -> str:
    """Return the statement that creates a role unless it is there."""
    return block(_CREATE_ROLE.format(literal=_literal(name), role=_identifier(name), login=login))


def limit_reader(reader: GrantRequest) -> list[str]:
    """Return the statements that make the user's sessions read-only, and close or list what is open to PUBLIC."""
    return [
        f"ALTER ROLE {_identifier(reader.user)} SET default_transaction_read_only = on;",
        *(_hardened(reader) if reader.harden else [_stays_open()]),
    ]


def _hardened(reader: GrantRequest) -> list[str]:
    return [
        commented(
            _take_from_public(reader, _HELD_HERE),
            "PUBLIC is every role, this reader too. What PUBLIC may create here is handed to each role that exists",
            "today, then taken from PUBLIC.",
            "Changes for others: roles that are made later need a grant of their own to create temporary tables here,",
            "or anything in these schemas.",
            "Undo: run the statements that its notices print.",
        ),
        commented(
            _take_from_public(reader, _HELD_ELSEWHERE),
            "The same for the right to connect to the other databases of this cluster.",
            "Changes for others: roles that are made later need GRANT CONNECT to enter these databases.",
            "Undo: run the statements that its notices print.",
        ),
    ]


def _stays_open() -> str:
    return commented(
        f"SELECT place, privilege\nFROM (\n    {_HELD_HERE}\n"
        f"    UNION ALL\n    {_HELD_ELSEWHERE}\n) held\nORDER BY 1, 2;",
        "Changes nothing: lists what stays open to this reader, since PUBLIC, which is every role, holds it. By",
        "default that is TEMPORARY on this database, CONNECT to the others and, before PostgreSQL 15, CREATE on schema",
        "public. The access check fails on each. `--harden` prints statements that close them, or accept them with",
        "accept_failed.",
    )


def connect(reader: GrantRequest, role: str) -> str:
    """Return the statement that lets the role connect to the database."""
    if reader.database is not None:
        return f"GRANT CONNECT ON DATABASE {_identifier(reader.database)} TO {role};"
    grant = f"  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), {_literal(reader.role)});"
    return block(grant)


def _future_tables(reader: GrantRequest, role: str, schema: str) -> str:
    reason = "dbt drops and rebuilds tables: without FOR ROLE, these privileges would not hold for what it builds."
    if reader.dbt_role is not None:
        writer = _identifier(reader.dbt_role)
        return commented(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {writer} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role};", reason
        )
    body = _DEFAULT_PRIVILEGES.format(schema_literal=_literal(reader.schema), role_literal=_literal(reader.role))
    return commented(
        block(body, "owner name"), reason, "No dbt role was named: the current owners of the schema's tables count."
    )


def _take_from_public(reader: GrantRequest, held: str) -> str:
    body = _TAKE_FROM_PUBLIC.format(held=held, role=_literal(reader.role), user=_literal(reader.user))
    return block(body, "held record", "other name")


def _host_based_authentication(reader: GrantRequest) -> list[str]:
    if not reader.network:
        return []
    database = _identifier(reader.database) if reader.database else "the_database"
    return [
        "pg_hba.conf, above wider lines, then SELECT pg_reload_conf();",
        *(f"  hostssl {database} {_identifier(reader.user)} {address} scram-sha-256" for address in reader.network),
        f"  host all {_identifier(reader.user)} all reject",
    ]


def block(body: str, *variables: str) -> str:
    """Return an anonymous block whose dollar quote does not occur in its body."""
    tag = "$elementary$"
    while tag in body:
        tag = tag[:-1] + "_$"
    declared = "".join(f"  {variable};\n" for variable in variables)
    return f"DO {tag}\n" + (f"DECLARE\n{declared}" if variables else "") + f"BEGIN\n{body}\nEND\n{tag};"
