"""Questions on what lends another's rights or leads elsewhere: SQL only, in :mod:`.postgres_catalogue`'s form."""

# A security_invoker view checks its reader's rights however it is reached; all others lend their owner's. That a view
# depends on one of the system's own tables is recorded nowhere but in its rule.
ESCAPES = """
SELECT 'objects-reaching-outside',
       CASE v.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || quote_ident(v.relname) || ' reads '
         || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ' as ' || pg_get_userbyid(v.relowner),
       NULL, CASE v.relkind WHEN 'm' THEN 'DROP MATERIALIZED VIEW ' ELSE 'DROP VIEW ' END
         || quote_ident(target.nspname) || '.' || quote_ident(v.relname) || ';'
FROM target
JOIN pg_catalog.pg_class v ON v.relnamespace = target.oid AND v.relkind IN ('v', 'm')
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relnamespace <> target.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE NOT EXISTS (
    SELECT FROM pg_options_to_table(v.reloptions) o
    WHERE o.option_name = 'security_invoker' AND o.option_value::bool)
  AND NOT (n.nspname = 'pg_catalog' AND EXISTS (
    SELECT FROM pg_catalog.pg_init_privs i, aclexplode(i.initprivs) a
    WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = t.oid AND a.grantee = 0
      AND a.privilege_type = 'SELECT'))
  AND NOT (n.nspname = 'information_schema' AND t.oid < 16384 AND t.relname !~ '^_pg_')
UNION ALL
SELECT 'objects-reaching-outside',
       'view ' || quote_ident(v.relname) || ' reads ' || t.oid::regclass || ' as ' || pg_get_userbyid(v.relowner), NULL,
       'DROP VIEW ' || quote_ident(target.nspname) || '.' || quote_ident(v.relname) || ';'
FROM target
JOIN pg_catalog.pg_class v ON v.relnamespace = target.oid AND v.relkind IN ('v', 'm')
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_class t ON t.relnamespace = 'pg_catalog'::regnamespace
  AND w.ev_action::text ~ (':relid ' || t.oid || ' ') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_init_privs i, aclexplode(i.initprivs) a
    WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = t.oid AND a.grantee = 0
      AND a.privilege_type = 'SELECT')
WHERE t.relkind IN ('r', 'v')
UNION ALL
SELECT 'objects-reaching-outside',
       'view ' || quote_ident(v.relname) || ' calls ' || p.oid::regprocedure || ', a SECURITY DEFINER function', NULL,
       'DROP VIEW ' || quote_ident(target.nspname) || '.' || quote_ident(v.relname) || ';'
FROM target
JOIN pg_catalog.pg_class v ON v.relnamespace = target.oid
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid AND p.prosecdef
UNION ALL
SELECT 'objects-reaching-outside',
       'table ' || quote_ident(p.relname) || ' includes the rows of ' || quote_ident(n.nspname) || '.'
         || quote_ident(c.relname),
       NULL, 'ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' NO INHERIT '
         || quote_ident(target.nspname) || '.' || quote_ident(p.relname) || ';'
FROM target
JOIN pg_catalog.pg_class p ON p.relnamespace = target.oid
JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relnamespace <> target.oid AND c.relkind NOT IN ('i', 'I')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""

# A function counts where a role in reach may execute it and some role in reach may name its schema.
FUNCTIONS = """
SELECT finding, what || ' through ' || through, through,
       'REVOKE EXECUTE ON ROUTINE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (p.oid)
    CASE WHEN p.prosecdef THEN 'definer-functions'
         WHEN l.lanname NOT IN ('internal', 'c') AND NOT l.lanpltrusted THEN 'untrusted-languages'
         WHEN p.proname ~ '^dblink' THEN 'foreign-servers'
         WHEN n.nspname = 'pg_catalog' THEN 'server-functions' ELSE 'untrusted-languages' END AS finding,
    p.oid::regprocedure::text AS name,
    p.oid::regprocedure || CASE WHEN p.prosecdef THEN ' runs as ' || pg_get_userbyid(p.proowner)
                                ELSE ' in language ' || l.lanname END AS what,
    r.name AS through, r.quoted
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  JOIN reach r ON has_function_privilege(r.oid, p.oid, 'EXECUTE')
  WHERE EXISTS (SELECT FROM reach u WHERE has_schema_privilege(u.oid, n.oid, 'USAGE'))
    AND (
      p.prosecdef
      OR (l.lanname NOT IN ('internal', 'c') AND NOT l.lanpltrusted)
      OR p.proname IN ('dblink', 'dblink_exec', 'dblink_connect', 'dblink_connect_u', 'dblink_open',
                       'dblink_send_query')
      OR (l.lanname = 'c' AND n.nspname <> 'pg_catalog' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
      OR (n.nspname = 'pg_catalog' AND EXISTS (
        SELECT FROM pg_catalog.pg_init_privs i WHERE i.classoid = 'pg_catalog.pg_proc'::regclass AND i.objoid = p.oid
          AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')))
    )
  ORDER BY p.oid, r.depth DESC
) open_function
UNION ALL
SELECT 'server-functions', 'the server''s files or programs through ' || name, name,
       'REVOKE ' || quoted || ' FROM ' || (SELECT quoted FROM reach WHERE depth = 0 ORDER BY name LIMIT 1) || ';'
FROM reach WHERE name IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
"""

SERVERS = """
SELECT 'foreign-servers', kind || ' ' || name || ' through ' || through, through,
       'REVOKE USAGE ON ' || kind || ' ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (s.oid) 'FOREIGN SERVER' AS kind, quote_ident(s.srvname) AS name, r.name AS through, r.quoted
  FROM pg_catalog.pg_foreign_server s JOIN reach r ON has_server_privilege(r.oid, s.oid, 'USAGE')
  ORDER BY s.oid, r.depth DESC
) s
UNION ALL
SELECT 'foreign-servers', kind || ' ' || name || ' through ' || through, through,
       'REVOKE USAGE ON ' || kind || ' ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (w.oid) 'FOREIGN DATA WRAPPER' AS kind, quote_ident(w.fdwname) AS name, r.name AS through, r.quoted
  FROM pg_catalog.pg_foreign_data_wrapper w JOIN reach r ON has_foreign_data_wrapper_privilege(r.oid, w.oid, 'USAGE')
  ORDER BY w.oid, r.depth DESC
) w
UNION ALL
SELECT 'foreign-servers', 'user mapping of ' || r.name || ' on ' || m.srvname, r.name,
       'DROP USER MAPPING FOR ' || r.quoted || ' SERVER ' || quote_ident(m.srvname) || ';'
FROM pg_catalog.pg_user_mappings m JOIN reach r ON r.oid = m.umuser
UNION ALL
SELECT 'foreign-servers', 'foreign table ' || quote_ident(c.relname) || ' in the Elementary schema', NULL,
       'DROP FOREIGN TABLE ' || quote_ident(target.nspname) || '.' || quote_ident(c.relname) || ';'
FROM target JOIN pg_catalog.pg_class c ON c.relnamespace = target.oid AND c.relkind = 'f'
"""

# Grants inside another database cannot be read from here, but that they exist is recorded for the whole cluster.
DATABASES = """
SELECT 'other-databases', 'CONNECT to ' || name || ' through ' || through, through,
       'REVOKE CONNECT ON DATABASE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (d.oid) quote_ident(d.datname) AS name, r.name AS through, r.quoted
  FROM pg_catalog.pg_database d JOIN reach r ON has_database_privilege(r.oid, d.oid, 'CONNECT')
  WHERE d.datallowconn AND d.datname <> current_database() AND d.datname NOT IN ('template0', 'template1')
  ORDER BY d.oid, r.depth DESC
) d
UNION ALL
SELECT 'other-databases', r.name || ' was granted something inside ' || quote_ident(o.datname), r.name,
       'In database ' || quote_ident(o.datname) || ': DROP OWNED BY ' || r.quoted || ';'
FROM pg_catalog.pg_shdepend d
JOIN reach r ON r.oid = d.refobjid
JOIN pg_catalog.pg_database o ON o.oid = d.dbid AND o.datname <> current_database()
WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'a'
"""
