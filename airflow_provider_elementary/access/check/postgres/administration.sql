-- Role attributes of an administrator.
-- proves administrative-rights: no reachable role is an administrator in any way, or may set a parameter
SELECT 'administrative-rights', r.name || ' is ' || flag.name, r.name,
       'ALTER ROLE ' || r.quoted || ' NO' || flag.name || ';'
FROM reach r JOIN pg_catalog.pg_roles p ON p.oid = r.oid
CROSS JOIN LATERAL (VALUES ('SUPERUSER', p.rolsuper), ('BYPASSRLS', p.rolbypassrls), ('CREATEDB', p.rolcreatedb),
  ('CREATEROLE', p.rolcreaterole), ('REPLICATION', p.rolreplication)) flag(name, held)
WHERE flag.held
