-- Privileges on single columns.
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
  AND (c.oid, t.attnum, a.privilege_type) NOT IN (SELECT oid, attnum, privilege_type FROM opened)
UNION ALL
-- Servers whose databases are older than the fix of CVE-2024-4317 show the statistics of expressions to everybody.
SELECT 'reads-outside-schema', 'pg_stats_ext_exprs shows values of ' || s.stxrelid::regclass || ' to everybody', NULL,
       'Run fix-CVE-2024-4317.sql of PostgreSQL in each database.'
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid AND c.relnamespace NOT IN (SELECT oid FROM target)
WHERE 'e' = ANY (s.stxkind)
  AND pg_get_viewdef(to_regclass('pg_catalog.pg_stats_ext_exprs')) !~ 'pg_has_role'
