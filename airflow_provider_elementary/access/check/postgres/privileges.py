"""Questions on rights that PostgreSQL's roles hold: SQL only, in the form that :mod:`.postgres_catalogue` describes."""

ADMINISTRATION = """
SELECT 'administrative-rights', r.name || ' is ' || flag.name, r.name,
       'ALTER ROLE ' || r.quoted || ' NO' || flag.name || ';'
FROM reach r JOIN pg_catalog.pg_roles p ON p.oid = r.oid
CROSS JOIN LATERAL (VALUES ('SUPERUSER', p.rolsuper), ('BYPASSRLS', p.rolbypassrls), ('CREATEDB', p.rolcreatedb),
  ('CREATEROLE', p.rolcreaterole), ('REPLICATION', p.rolreplication)) flag(name, held)
WHERE flag.held
"""

# New in PostgreSQL 15.
PARAMETERS = """
SELECT 'administrative-rights', 'parameter ' || p.parname || ': ' || a.privilege_type || ' through ' || r.name, r.name,
       'REVOKE ' || a.privilege_type || ' ON PARAMETER ' || p.parname || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_parameter_acl p, aclexplode(p.paracl) a, reach r WHERE a.grantee = r.oid
"""

# The roles that managed services hand out in place of superuser are wide by their nature.
MEMBERSHIPS = """
SELECT 'role-memberships', 'member of ' || r.name, r.name,
       'REVOKE ' || r.quoted || ' FROM ' || (SELECT quoted FROM reach WHERE depth = 0 ORDER BY name LIMIT 1) || ';'
FROM reach r WHERE r.oid <> 0 AND r.depth > 0
  AND (r.name ~ '^pg_' OR r.name IN ('rds_superuser', 'rds_replication', 'cloudsqlsuperuser', 'azure_pg_admin'))
UNION ALL
SELECT 'role-memberships', r.name || ' may grant ' || g.rolname || ' to others', r.name,
       'REVOKE ADMIN OPTION FOR ' || quote_ident(g.rolname) || ' FROM ' || r.quoted || ';'
FROM reach r JOIN pg_catalog.pg_auth_members m ON m.member = r.oid JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
WHERE m.admin_option
"""

# CASE, because AND does not promise an order and has_table_privilege raises on a sequence's privilege.
RELATIONS = """
SELECT finding, name || ': ' || string_agg(privilege, ', ' ORDER BY privilege) || ' through ' || through, through,
       'REVOKE ' || string_agg(privilege, ', ' ORDER BY privilege) || ' ON ' || kind || name || ' FROM ' || quoted
         || ';'
FROM (
  SELECT DISTINCT ON (c.oid, p.name)
         CASE WHEN n.oid = (SELECT oid FROM target) THEN 'writes-inside-schema'
              WHEN p.name = 'SELECT' THEN 'reads-outside-schema' ELSE 'writes-outside-schema' END AS finding,
         CASE WHEN c.relkind = 'S' THEN 'SEQUENCE ' ELSE '' END AS kind,
         quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, p.name AS privilege, r.name AS through,
         r.quoted
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
  JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER'), ('MAINTAIN'),
        ('USAGE')) p(name) ON NOT (p.name = 'SELECT' AND n.oid IN (SELECT oid FROM target))
  JOIN reach r ON CASE
    WHEN c.relkind = 'S' THEN
      CASE WHEN p.name IN ('SELECT', 'UPDATE', 'USAGE') THEN has_sequence_privilege(r.oid, c.oid, p.name) ELSE false END
    WHEN p.name = 'USAGE' THEN false
    WHEN p.name = 'MAINTAIN' AND current_setting('server_version_num')::int < 170000 THEN false
    ELSE has_table_privilege(r.oid, c.oid, p.name) END
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND NOT (n.nspname = 'pg_catalog' AND EXISTS (
      SELECT FROM pg_catalog.pg_init_privs i, aclexplode(i.initprivs) a
      WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
        AND a.grantee = 0 AND a.privilege_type = p.name))
    AND NOT (n.nspname = 'information_schema' AND c.oid < 16384 AND c.relname !~ '^_pg_' AND p.name = 'SELECT')
  ORDER BY c.oid, p.name, r.depth DESC
) held
GROUP BY finding, kind, name, through, quoted
"""

COLUMNS = """
SELECT CASE WHEN n.oid = (SELECT oid FROM target) THEN 'writes-inside-schema'
            WHEN a.privilege_type = 'SELECT' THEN 'reads-outside-schema' ELSE 'writes-outside-schema' END,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ', column ' || quote_ident(t.attname) || ': '
         || a.privilege_type || ' through ' || r.name,
       r.name,
       'REVOKE ' || a.privilege_type || ' (' || quote_ident(t.attname) || ') ON ' || quote_ident(n.nspname) || '.'
         || quote_ident(c.relname) || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_attribute t
JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(t.attacl) a
JOIN reach r ON r.oid = a.grantee
WHERE t.attacl IS NOT NULL AND NOT t.attisdropped
  AND NOT (a.privilege_type = 'SELECT' AND n.oid IN (SELECT oid FROM target))
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_init_privs i, aclexplode(i.initprivs) x
    WHERE n.nspname = 'pg_catalog' AND i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = c.oid
      AND i.objsubid = t.attnum AND x.grantee = 0 AND x.privilege_type = a.privilege_type)
"""

LARGE_OBJECTS = """
SELECT CASE WHEN a.privilege_type = 'SELECT' THEN 'reads-outside-schema' ELSE 'writes-outside-schema' END,
       'large object ' || l.oid || ': ' || a.privilege_type || ' through ' || r.name, r.name,
       'REVOKE ' || a.privilege_type || ' ON LARGE OBJECT ' || l.oid || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_largeobject_metadata l, aclexplode(l.lomacl) a, reach r WHERE a.grantee = r.oid
UNION ALL
SELECT 'reads-outside-schema', 'all large objects, since lo_compat_privileges is on', NULL,
       'ALTER SYSTEM SET lo_compat_privileges = off;'
WHERE current_setting('lo_compat_privileges') = 'on'
"""

CREATION = """
SELECT 'creates-objects', what || ' through ' || through, through,
       'REVOKE CREATE ON ' || what || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (n.oid) 'SCHEMA ' || quote_ident(n.nspname) AS what, r.name AS through, r.quoted
  FROM pg_catalog.pg_namespace n JOIN reach r ON has_schema_privilege(r.oid, n.oid, 'CREATE')
  WHERE n.nspname !~ '^pg_(temp_|toast_temp_)' ORDER BY n.oid, r.depth DESC
) s
UNION ALL
SELECT 'creates-objects', what || ' through ' || through, through,
       'REVOKE CREATE ON ' || what || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (t.oid) 'TABLESPACE ' || quote_ident(t.spcname) AS what, r.name AS through, r.quoted
  FROM pg_catalog.pg_tablespace t JOIN reach r ON has_tablespace_privilege(r.oid, t.oid, 'CREATE')
  ORDER BY t.oid, r.depth DESC
) t
UNION ALL
SELECT CASE privilege WHEN 'CREATE' THEN 'creates-objects' ELSE 'temporary-objects' END,
       privilege || ' on DATABASE ' || name || ' through ' || through, through,
       'REVOKE ' || privilege || ' ON DATABASE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (p.name) p.name AS privilege, quote_ident(current_database()) AS name, r.name AS through, r.quoted
  FROM (VALUES ('CREATE'), ('TEMPORARY')) p(name)
  JOIN reach r ON has_database_privilege(r.oid, current_database(), p.name) ORDER BY p.name, r.depth DESC
) d
"""

OWNERSHIP = """
SELECT 'ownership',
       CASE WHEN d.dbid IN (0, me.oid) THEN pg_describe_object(d.classid, d.objid, d.objsubid)
            ELSE 'an object in database ' || (SELECT datname FROM pg_catalog.pg_database WHERE oid = d.dbid) END
         || ' is owned by ' || r.name,
       r.name, 'REASSIGN OWNED BY ' || r.quoted || ' TO another_role;'
FROM pg_catalog.pg_shdepend d
JOIN reach r ON r.oid = d.refobjid
JOIN pg_catalog.pg_database me ON me.datname = current_database()
WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'o'
UNION ALL
SELECT 'ownership', 'the system catalogue is owned by ' || name, name, 'Connect as another role.'
FROM reach WHERE oid = 10
"""

# Global entries repeat what PostgreSQL gives PUBLIC anyway: EXECUTE on functions, USAGE on types.
FUTURE = """
SELECT 'future-grants',
       a.privilege_type || ' on future ' || kind.name
         || coalesce(' in schema ' || quote_ident(n.nspname), ' in any schema')
         || ' of ' || pg_get_userbyid(d.defaclrole) || ' through ' || r.name,
       r.name,
       'ALTER DEFAULT PRIVILEGES FOR ROLE ' || quote_ident(pg_get_userbyid(d.defaclrole))
         || coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '') || ' REVOKE ' || a.privilege_type || ' ON '
         || upper(kind.name) || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_default_acl d
JOIN (VALUES ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'))
  kind(letter, name) ON kind.letter = d.defaclobjtype::text
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL aclexplode(d.defaclacl) a
JOIN reach r ON r.oid = a.grantee
WHERE a.grantee <> d.defaclrole
  AND NOT (a.privilege_type = 'SELECT' AND kind.letter IN ('r', 'S')
    AND d.defaclnamespace IN (SELECT oid FROM target))
  AND NOT (a.grantee = 0 AND d.defaclnamespace = 0
    AND (kind.letter, a.privilege_type) IN (('f', 'EXECUTE'), ('T', 'USAGE')))
"""
