-- Functions that lend rights and can be called without USAGE on their schema: by an operator, by an aggregate or a
-- function with an SQL body (which resolved its names when it was created), by a cast, a domain or a type.
SELECT finding, what || ' through ' || through, through, remediation
FROM (
  SELECT DISTINCT ON (b.classid, b.objid, lender.oid)
         lender.finding, lender.what || ', called by ' || route.name AS what, r.name AS through, route.remediation
  FROM borrower b
  JOIN lender ON lender.oid = b.lender
  CROSS JOIN LATERAL (
    -- "routine" is the function whose EXECUTE the caller needs, "namespace" the schema whose USAGE it needs.
    SELECT 'operator ' || o.oid::regoperator AS name, o.oprcode::oid AS routine, o.oprnamespace AS namespace,
           'DROP OPERATOR ' || o.oid::regoperator || ';' AS remediation
    FROM pg_catalog.pg_operator o WHERE b.classid = 'pg_catalog.pg_operator'::regclass AND o.oid = b.objid
    UNION ALL
    SELECT CASE p.prokind WHEN 'a' THEN 'aggregate ' ELSE 'function ' END || p.oid::regprocedure, p.oid, p.pronamespace,
           'DROP ROUTINE ' || p.oid::regprocedure || ';'
    FROM pg_catalog.pg_proc p
    WHERE b.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = b.objid AND p.oid NOT IN (SELECT oid FROM lender)
    UNION ALL
    SELECT 'the cast from ' || c.castsource::regtype || ' to ' || c.casttarget::regtype, c.castfunc, NULL,
           'DROP CAST (' || c.castsource::regtype || ' AS ' || c.casttarget::regtype || ');'
    FROM pg_catalog.pg_cast c WHERE b.classid = 'pg_catalog.pg_cast'::regclass AND c.oid = b.objid
    UNION ALL
    SELECT 'a constraint of domain ' || c.contypid::regtype,
           -- Who reaches it through an aggregate needs no EXECUTE.
           (SELECT d.refobjid FROM pg_catalog.pg_depend d
            WHERE d.classid = b.classid AND d.objid = c.oid AND d.refclassid = 'pg_catalog.pg_proc'::regclass
              AND d.refobjid = lender.oid LIMIT 1), NULL,
           'ALTER DOMAIN ' || c.contypid::regtype || ' DROP CONSTRAINT ' || quote_ident(c.conname) || ';'
    FROM pg_catalog.pg_constraint c
    WHERE b.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = b.objid AND c.contypid <> 0
    UNION ALL
    SELECT 'type ' || t.oid::regtype, NULL, NULL, 'DROP TYPE ' || t.oid::regtype || ';'
    FROM pg_catalog.pg_type t WHERE b.classid = 'pg_catalog.pg_type'::regclass AND t.oid = b.objid
    UNION ALL
    SELECT pg_describe_object(b.classid, b.objid, 0), NULL, NULL, 'Drop the operator class.'
    WHERE b.classid = 'pg_catalog.pg_amproc'::regclass
    UNION ALL
    -- DISTINCT and GROUP BY ask for EXECUTE on the function of the operator, and for no schema.
    SELECT pg_describe_object(b.classid, b.objid, 0), o.oprcode::oid, NULL, 'Drop the operator class.'
    FROM pg_catalog.pg_amop f JOIN pg_catalog.pg_operator o ON o.oid = f.amopopr
    WHERE b.classid = 'pg_catalog.pg_amop'::regclass AND f.oid = b.objid
  ) route
  JOIN reach r ON route.routine IS NULL OR has_function_privilege(r.oid, route.routine, 'EXECUTE')
  WHERE route.namespace IS NULL
    OR EXISTS (SELECT FROM reach u WHERE has_schema_privilege(u.oid, route.namespace, 'USAGE'))
  ORDER BY b.classid, b.objid, lender.oid, r.depth DESC
) borrowed
