-- CREATE on schemas, tablespaces and the database, and TEMPORARY on the database.
-- proves creates-objects: no reachable role, nor PUBLIC, holds CREATE on the database, a schema or a tablespace
-- proves temporary-objects: no reachable role, nor PUBLIC, holds TEMPORARY on the database
SELECT 'creates-objects', what || ' through ' || through, through,
       'REVOKE CREATE ON ' || what || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (n.oid) 'SCHEMA ' || quote_ident(n.nspname) AS what, r.name AS through, r.quoted
  FROM pg_catalog.pg_namespace n JOIN reach r ON has_schema_privilege(r.oid, n.oid, 'CREATE')
  WHERE n.oid <> pg_my_temp_schema() ORDER BY n.oid, r.depth DESC
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
