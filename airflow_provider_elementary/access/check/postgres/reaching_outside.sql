-- Views and tables of the Elementary schema that show data from outside with the rights of their owner. A
-- security_invoker view checks its reader's rights however it is reached; all others lend their owner's. That a view
-- depends on a system catalog is recorded only in its rule. A view over a function depends on the table whose row type
-- the function returns, but has no range table entry (:relid) of that table and does not read it. A materialized view
-- holds what its owner saw: through views that would show its reader less, and through functions that would refuse it.
-- proves objects-reaching-outside: no view or table of the schema lends rights to data outside it
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
  AND w.ev_action::text ~ (':relid ' || t.oid || ' ')
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE NOT EXISTS (
    SELECT FROM pg_options_to_table(v.reloptions) o
    WHERE o.option_name = 'security_invoker' AND o.option_value::bool)
  AND (t.oid, 0, 'SELECT') NOT IN (SELECT oid, attnum, privilege_type FROM opened)
  AND NOT (n.nspname = 'information_schema' AND t.oid < 16384 AND t.relname !~ '^_pg_'
    AND t.oid NOT IN (SELECT oid FROM tampered))
UNION ALL
SELECT 'objects-reaching-outside',
       'materialized view ' || quote_ident(kept.relname) || ' holds what ' || source.name || ' gave '
         || pg_get_userbyid(kept.relowner),
       NULL, 'DROP MATERIALIZED VIEW ' || quote_ident(target.nspname) || '.' || quote_ident(kept.relname) || ';'
FROM target
JOIN pg_catalog.pg_class kept ON kept.relnamespace = target.oid AND kept.relkind = 'm'
CROSS JOIN LATERAL (
  WITH RECURSIVE part AS (
    SELECT kept.oid
    UNION
    SELECT t.oid
    FROM part
    JOIN pg_catalog.pg_rewrite w ON w.ev_class = part.oid
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_catalog.pg_class'::regclass
    JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relkind = 'v' AND t.relnamespace = target.oid
  )
  SELECT t.oid::regclass::text AS name
  FROM part
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = part.oid
  JOIN pg_catalog.pg_class t ON w.ev_action::text ~ (':relid ' || t.oid || ' ')
  WHERE t.relnamespace <> target.oid
    AND (t.relkind <> 'r' OR (t.oid, 0, 'SELECT') NOT IN (SELECT oid, attnum, privilege_type FROM opened))
  UNION ALL
  SELECT p.oid::regprocedure::text
  FROM part
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = part.oid
  CROSS JOIN LATERAL (
    SELECT DISTINCT found[1]::oid AS oid
    FROM regexp_matches(w.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') found
  ) called
  JOIN pg_catalog.pg_proc p ON p.oid = called.oid
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  -- A function of the server or in C that depends on its arguments only, or on the time and the session's settings.
  WHERE NOT ((p.oid < 16384 OR (l.lanname = 'c' AND p.provolatile = 'i')) AND p.oid NOT IN (SELECT oid FROM lender)
    AND (p.provolatile = 'i' OR (NOT p.proretset AND p.prorettype <> 'xml'::regtype AND p.proname !~ '^pg_stat_get_'
      AND (p.provolatile = 's' OR p.pronargs = 0))))
) source
UNION ALL
SELECT 'objects-reaching-outside',
       'view ' || quote_ident(v.relname) || ' reads ' || t.oid::regclass || ' as ' || pg_get_userbyid(v.relowner), NULL,
       'DROP VIEW ' || quote_ident(target.nspname) || '.' || quote_ident(v.relname) || ';'
FROM target
JOIN pg_catalog.pg_class v ON v.relnamespace = target.oid AND v.relkind IN ('v', 'm')
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_class t ON t.relnamespace = 'pg_catalog'::regnamespace
  AND w.ev_action::text ~ (':relid ' || t.oid || ' ')
  AND (t.oid, 0, 'SELECT') NOT IN (SELECT oid, attnum, privilege_type FROM opened)
WHERE t.relkind IN ('r', 'v')
UNION ALL
SELECT 'objects-reaching-outside',
       'view ' || quote_ident(v.relname) || ' calls ' || lender.what, NULL,
       'DROP VIEW ' || quote_ident(target.nspname) || '.' || quote_ident(v.relname) || ';'
FROM target
JOIN pg_catalog.pg_class v ON v.relnamespace = target.oid
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN borrower b ON b.classid = 'pg_catalog.pg_rewrite'::regclass AND b.objid = w.oid
JOIN lender ON lender.oid = b.lender
-- Each reader of a view needs EXECUTE on each function that it calls itself; a materialized view holds what its owner got.
WHERE v.relkind <> 'v'
  OR EXISTS (SELECT FROM reach WHERE has_function_privilege(reach.oid, lender.oid, 'EXECUTE'))
  OR EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    JOIN borrower other ON other.classid = d.refclassid AND other.objid = d.refobjid AND other.lender = lender.oid
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
      AND (other.classid, other.objid) <> ('pg_catalog.pg_proc'::regclass::oid, lender.oid))
UNION ALL
SELECT 'objects-reaching-outside',
       'the row policy ' || quote_ident(y.polname) || ' on ' || quote_ident(c.relname) || ' calls ' || lender.what, NULL,
       'DROP POLICY ' || quote_ident(y.polname) || ' ON ' || quote_ident(target.nspname) || '.' || quote_ident(c.relname)
         || ';'
FROM target
JOIN pg_catalog.pg_class c ON c.relnamespace = target.oid
JOIN pg_catalog.pg_policy y ON y.polrelid = c.oid
JOIN borrower b ON b.classid = 'pg_catalog.pg_policy'::regclass AND b.objid = y.oid
JOIN lender ON lender.oid = b.lender
UNION ALL
-- Read through a view, a table's policies have the rights of the view's owner.
SELECT 'objects-reaching-outside',
       'the row policy ' || quote_ident(y.polname) || ' on ' || quote_ident(c.relname) || ' reads ' || t.oid::regclass,
       NULL,
       'DROP POLICY ' || quote_ident(y.polname) || ' ON ' || quote_ident(target.nspname) || '.' || quote_ident(c.relname)
         || ';'
FROM target
JOIN pg_catalog.pg_class c ON c.relnamespace = target.oid
JOIN pg_catalog.pg_policy y ON y.polrelid = c.oid
JOIN pg_catalog.pg_class t ON t.relnamespace <> target.oid
  AND concat(y.polqual, y.polwithcheck) ~ (':relid ' || t.oid || ' ')
  AND (t.oid, 0, 'SELECT') NOT IN (SELECT oid, attnum, privilege_type FROM opened)
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
