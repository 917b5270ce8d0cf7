-- The right to grant to others what a reader may have: USAGE on a schema, SELECT inside the Elementary schema and on what
-- the system opened, CONNECT to a database, functions, types, languages.
-- proves other-privileges: no reachable role may grant to others what it has; other checks cover the rest
SELECT 'other-privileges', 'GRANT OPTION for ' || a.privilege_type || held.columns || ' on ' || held.name || ' through '
         || r.name,
       r.name,
       'REVOKE GRANT OPTION FOR ' || a.privilege_type || held.columns || ' ON ' || held.name || ' FROM ' || r.quoted || ';'
FROM (
  SELECT 'SCHEMA ' || quote_ident(n.nspname) AS name, '' AS columns, n.nspacl AS acl
  FROM pg_catalog.pg_namespace n
  UNION ALL
  SELECT c.oid::regclass::text, '', c.relacl FROM pg_catalog.pg_class c WHERE c.relacl IS NOT NULL
  UNION ALL
  SELECT t.attrelid::regclass::text, ' (' || quote_ident(t.attname) || ')', t.attacl
  FROM pg_catalog.pg_attribute t WHERE t.attacl IS NOT NULL AND NOT t.attisdropped
  UNION ALL
  SELECT 'DATABASE ' || quote_ident(d.datname), '', d.datacl FROM pg_catalog.pg_database d
  UNION ALL
  SELECT 'ROUTINE ' || p.oid::regprocedure, '', p.proacl FROM pg_catalog.pg_proc p WHERE p.proacl IS NOT NULL
  UNION ALL
  SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || t.oid::regtype, '', t.typacl
  FROM pg_catalog.pg_type t WHERE t.typacl IS NOT NULL
  UNION ALL
  SELECT 'LANGUAGE ' || quote_ident(l.lanname), '', l.lanacl FROM pg_catalog.pg_language l WHERE l.lanacl IS NOT NULL
) held
CROSS JOIN LATERAL aclexplode(held.acl) a
JOIN reach r ON r.oid = a.grantee
WHERE a.is_grantable AND a.privilege_type IN ('USAGE', 'SELECT', 'CONNECT', 'EXECUTE')
