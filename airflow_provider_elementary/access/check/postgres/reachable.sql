-- "target" is the Elementary schema. "reach" holds every role that the session can become, NOINHERIT or not, and PUBLIC
-- (oid 0). "depth" is the number of memberships between the session and the role. "lender" holds the functions that run
-- with rights that their caller does not have. "borrower" holds the objects that call one of them, directly or not.
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
), lender AS (
  SELECT p.oid, p.oid::regprocedure::text AS name,
         CASE WHEN p.prosecdef THEN 'definer-functions' ELSE 'untrusted-languages' END AS finding,
         p.oid::regprocedure || CASE WHEN p.prosecdef THEN ' runs as ' || pg_get_userbyid(p.proowner)
                                     ELSE ' in language ' || l.lanname END AS what
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  -- An aggregate is of language internal no matter who created it; its own functions count.
  WHERE p.prosecdef
    OR (l.lanname NOT IN ('internal', 'c') AND NOT l.lanpltrusted)
    OR (l.lanname IN ('internal', 'c') AND p.prokind <> 'a' AND p.pronamespace <> 'pg_catalog'::regnamespace
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
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
