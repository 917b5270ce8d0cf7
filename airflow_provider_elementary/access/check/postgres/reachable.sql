-- "target" is the Elementary schema. "reach" holds every role that the session can become, NOINHERIT or not, and PUBLIC
-- (oid 0). "depth" is the number of memberships between the session and the role. "opened" holds what the system and
-- extensions themselves opened to PUBLIC. "lender" holds the functions that run with rights that their caller does not
-- have, or leave the database. "borrower" holds the objects that call one of them, directly or not.
WITH RECURSIVE target AS (
  SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = CAST(:schema AS text)
), member AS (
  SELECT oid, rolname, 0 AS depth FROM pg_catalog.pg_roles WHERE rolname IN (session_user, current_user)
  UNION
  SELECT r.oid, r.rolname, member.depth + 1
  FROM member
  JOIN pg_catalog.pg_auth_members m ON m.member = member.oid
  JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
), reach AS (
  SELECT oid, rolname::text AS name, quote_ident(rolname) AS quoted, max(depth) AS depth FROM member GROUP BY 1, 2, 3
  UNION ALL
  SELECT 0, 'PUBLIC', 'PUBLIC', 1000
), extended AS (
  SELECT d.classid, d.objid, e.extowner
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
), opened AS (
  SELECT c.oid, i.objsubid::int AS attnum, a.privilege_type
  FROM pg_catalog.pg_init_privs i
  JOIN pg_catalog.pg_class c ON c.oid = i.objoid AND i.classoid = 'pg_catalog.pg_class'::regclass
  CROSS JOIN LATERAL aclexplode(i.initprivs) a
  WHERE a.grantee = 0
    AND (
      (c.relnamespace = 'pg_catalog'::regnamespace AND c.oid < 16384)
      -- The script of an extension runs as its owner or as the first superuser (10). A table of somebody else was added.
      OR EXISTS (
        SELECT FROM extended x
        WHERE x.classid = i.classoid AND x.objid = c.oid AND c.relowner IN (10, x.extowner)))
), reserved AS (
  SELECT i.objoid AS oid
  FROM pg_catalog.pg_init_privs i
  WHERE i.classoid = 'pg_catalog.pg_proc'::regclass
    AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
), lender AS (
  SELECT p.oid, p.oid::regprocedure::text AS name, kind.finding,
         p.oid::regprocedure || CASE kind.finding WHEN 'definer-functions' THEN ' runs as ' || pg_get_userbyid(p.proowner)
                                                  ELSE ' in language ' || l.lanname END AS what
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  LEFT JOIN extended x ON x.classid = 'pg_catalog.pg_proc'::regclass AND x.objid = p.oid
  LEFT JOIN reserved v ON v.oid = p.oid
  CROSS JOIN LATERAL (
    SELECT CASE
      -- A function in C is trusted as its extension is: PostGIS has some that run as their owner. No statement can call
      -- the function of a trigger.
      WHEN p.prosecdef AND NOT (l.lanname = 'c' AND x.objid IS NOT NULL)
        AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) THEN 'definer-functions'
      WHEN p.proname IN ('dblink', 'dblink_exec', 'dblink_connect', 'dblink_connect_u', 'dblink_open',
                         'dblink_send_query') THEN 'foreign-servers'
      WHEN v.oid IS NOT NULL THEN 'server-functions'
      WHEN l.lanname NOT IN ('internal', 'c') THEN CASE WHEN NOT l.lanpltrusted THEN 'untrusted-languages' END
      -- An aggregate is of language internal no matter who created it; its own functions count.
      WHEN p.oid < 16384 OR p.prokind = 'a' THEN NULL
      WHEN x.objid IS NULL OR (l.lanname = 'internal' AND p.prosrc = ANY (ARRAY(
        SELECT o.prosrc FROM reserved JOIN pg_catalog.pg_proc o ON o.oid = reserved.oid))) THEN 'untrusted-languages'
      END AS finding
  ) kind
  -- This list lets the planner expect few rows: it would otherwise compile the query for seconds.
  WHERE kind.finding IN ('definer-functions', 'foreign-servers', 'server-functions', 'untrusted-languages')
), borrower AS (
  SELECT 'pg_catalog.pg_proc'::regclass::oid AS classid, lender.oid AS objid, lender.oid AS lender FROM lender
  UNION
  SELECT d.classid, d.objid, borrower.lender
  FROM borrower
  JOIN pg_catalog.pg_depend d ON d.refclassid = borrower.classid AND d.refobjid = borrower.objid AND d.deptype = 'n'
  -- A function that only takes or returns a type does not call the functions of the type.
  WHERE borrower.classid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
    AND d.classid IN (
    'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_cast'::regclass,
    'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_amproc'::regclass,
    'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_rewrite'::regclass)
)
