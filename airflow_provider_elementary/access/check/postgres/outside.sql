-- Relations outside the Elementary schema for canary reads: at most 8, from as many schemas as possible, without those
-- that an extension opened to PUBLIC.
SELECT nspname, relname FROM (
  SELECT n.nspname::text, c.relname::text,
         row_number() OVER (PARTITION BY n.oid ORDER BY c.relkind IN ('v', 'm', 'f'), c.relname) AS nth
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM target WHERE target.oid = n.oid)
    AND (c.oid, 0, 'SELECT') NOT IN (SELECT oid, attnum, privilege_type FROM opened)
) candidate
ORDER BY nth, nspname
LIMIT 8
