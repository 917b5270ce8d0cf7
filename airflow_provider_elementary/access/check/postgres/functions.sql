-- Functions that lend rights or leave the database, if some reachable role has EXECUTE and USAGE on the schema.
SELECT finding, what || ' through ' || through, through,
       'REVOKE EXECUTE ON ROUTINE ' || name || ' FROM ' || quoted || ';'
FROM (
  SELECT DISTINCT ON (p.oid)
    coalesce(lender.finding,
             CASE WHEN p.proname ~ '^dblink' THEN 'foreign-servers' ELSE 'server-functions' END) AS finding,
    p.oid::regprocedure::text AS name,
    coalesce(lender.what, p.oid::regprocedure || ' in language ' || l.lanname) AS what,
    r.name AS through, r.quoted
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  LEFT JOIN lender ON lender.oid = p.oid
  JOIN reach r ON has_function_privilege(r.oid, p.oid, 'EXECUTE')
  WHERE EXISTS (SELECT FROM reach u WHERE has_schema_privilege(u.oid, n.oid, 'USAGE'))
    AND (
      lender.oid IS NOT NULL
      OR p.proname IN ('dblink', 'dblink_exec', 'dblink_connect', 'dblink_connect_u', 'dblink_open',
                       'dblink_send_query')
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
