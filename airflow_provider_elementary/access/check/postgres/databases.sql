-- CONNECT to other databases. Grants inside another database cannot be read from here, but pg_shdepend records for the
-- whole cluster that they exist.
-- proves other-databases: no reachable role, nor PUBLIC, holds CONNECT to another database than this and PostgreSQL's own templates
SELECT 'other-databases', 'CONNECT to ' || name || ' through ' || through, through,
       'REVOKE CONNECT ON DATABASE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (d.oid) quote_ident(d.datname) AS name, r.name AS through, r.quoted
  FROM pg_catalog.pg_database d JOIN reach r ON has_database_privilege(r.oid, d.oid, 'CONNECT')
  WHERE d.datallowconn AND d.datname <> current_database() AND d.datname NOT IN ('template0', 'template1')
  ORDER BY d.oid, r.depth DESC
) d
UNION ALL
-- What is created in a template is in each database that is made from it.
SELECT 'other-databases', 'CREATE on DATABASE ' || name || ' through ' || through, through,
       'REVOKE CREATE ON DATABASE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (d.oid) quote_ident(d.datname) AS name, r.name AS through, r.quoted
  FROM pg_catalog.pg_database d JOIN reach r ON has_database_privilege(r.oid, d.oid, 'CREATE')
  WHERE d.datname <> current_database() ORDER BY d.oid, r.depth DESC
) c
UNION ALL
SELECT 'other-databases', r.name || ' was granted something inside ' || quote_ident(o.datname), r.name,
       'In database ' || quote_ident(o.datname) || ': DROP OWNED BY ' || r.quoted || ';'
FROM pg_catalog.pg_shdepend d
JOIN reach r ON r.oid = d.refobjid
JOIN pg_catalog.pg_database o ON o.oid = d.dbid AND o.datname <> current_database()
WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'a'
