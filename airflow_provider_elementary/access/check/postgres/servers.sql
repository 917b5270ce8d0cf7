-- Foreign servers, foreign data wrappers, user mappings and foreign tables.
-- proves foreign-servers: no reachable role, nor PUBLIC, holds USAGE on a foreign server, a user mapping or dblink
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
