-- Functions that lend rights or leave the database, if some reachable role has EXECUTE and USAGE on the schema.
-- proves definer-functions: no reachable role, nor PUBLIC, holds EXECUTE on a SECURITY DEFINER function or on what calls one
-- proves server-functions: no reachable role, nor PUBLIC, holds EXECUTE on a function that PostgreSQL keeps from ordinary roles
-- proves untrusted-languages: no reachable role, nor PUBLIC, holds EXECUTE on a function in an untrusted language
SELECT finding, what || ' through ' || through, through,
       'REVOKE EXECUTE ON ROUTINE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (p.oid) lender.finding, lender.name, lender.what, r.name AS through, r.quoted
  FROM lender
  JOIN pg_catalog.pg_proc p ON p.oid = lender.oid
  JOIN reach r ON has_function_privilege(r.oid, p.oid, 'EXECUTE')
  WHERE EXISTS (SELECT FROM reach u WHERE has_schema_privilege(u.oid, p.pronamespace, 'USAGE'))
  ORDER BY p.oid, r.depth DESC
) open_function
UNION ALL
-- A language that is marked as trusted, and can be used in DO, though it escapes the database.
SELECT 'untrusted-languages', 'language ' || l.lanname || ' is marked as trusted', NULL,
       'REVOKE USAGE ON LANGUAGE ' || quote_ident(l.lanname) || ' FROM PUBLIC;'
FROM pg_catalog.pg_language l
JOIN pg_catalog.pg_proc p ON p.oid = l.lanplcallfoid
WHERE l.lanpltrusted AND p.prosrc ~ '^(plpython|plperlu|pltclu|plsh|javau)'
  AND EXISTS (SELECT FROM reach WHERE has_language_privilege(reach.oid, l.oid, 'USAGE'))
UNION ALL
SELECT 'server-functions', 'the server''s files or programs through ' || name, name,
       'REVOKE ' || quoted || ' FROM ' || (SELECT quoted FROM reach WHERE depth = 0 ORDER BY name LIMIT 1) || ';'
FROM reach WHERE name IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
