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
  SELECT d.classid, d.objid, e.extname, e.extowner, e.extnamespace, e.extconfig
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
), unopened AS (
  -- What the system itself keeps from PUBLIC.
  SELECT c.oid FROM pg_catalog.pg_class c
  WHERE c.oid < 16384 AND c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_init_privs i, aclexplode(i.initprivs) a
    WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0 AND a.grantee = 0)
), tampered AS (
  -- Views of the system or of an extension that read a relation or call a function which is not theirs, and views of an
  -- extension that read what the system keeps to itself.
  SELECT c.oid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
    AND d.refclassid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass)
    AND d.refobjid <> c.oid AND d.refobjid >= 16384
  WHERE c.relkind = 'v' AND (c.oid < 16384 OR c.oid IN (SELECT objid FROM extended))
    AND ((d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM extended)
      OR d.refobjid IN (SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.prosecdef OR p.prosrc ~ '^dblink_'))
  UNION ALL
  SELECT w.ev_class
  FROM extended x
  JOIN pg_catalog.pg_rewrite w ON x.classid = 'pg_catalog.pg_class'::regclass AND w.ev_class = x.objid
  JOIN unopened ON w.ev_action::text ~ (':relid ' || unopened.oid || ' ')
), opened AS (
  SELECT c.oid, i.objsubid::int AS attnum, a.privilege_type
  FROM pg_catalog.pg_init_privs i
  JOIN pg_catalog.pg_class c ON c.oid = i.objoid AND i.classoid = 'pg_catalog.pg_class'::regclass
  CROSS JOIN LATERAL aclexplode(i.initprivs) a
  WHERE a.grantee = 0 AND c.oid NOT IN (SELECT oid FROM tampered)
    AND (
      (c.relnamespace = 'pg_catalog'::regnamespace AND c.oid < 16384)
      -- The script of an extension runs as its owner or as the first superuser (10), and declares the tables that users
      -- fill (extconfig); its other tables have a schema of their own. Anything else was added by hand.
      OR EXISTS (
        SELECT FROM extended x
        WHERE x.classid = i.classoid AND x.objid = c.oid AND c.relowner IN (10, x.extowner) AND c.relkind <> 'm'
          AND (c.relkind = 'v' OR c.oid = ANY (x.extconfig) OR (c.relnamespace = x.extnamespace AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_class o
            WHERE o.relnamespace = c.relnamespace AND o.relkind IN ('r', 'p', 'f')
              AND o.oid NOT IN (SELECT objid FROM extended WHERE classid = i.classoid))))))
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
  CROSS JOIN LATERAL (SELECT regexp_replace(p.probin, '^.*/|-[0-9.]+$', '', 'g') AS name) library
  CROSS JOIN LATERAL (
    SELECT CASE
      -- PostGIS has functions in C that run as their owner. No statement can call the function of a trigger.
      WHEN p.prosecdef AND NOT (l.lanname = 'c' AND coalesce(x.extname ~ '^postgis', false))
        AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) THEN 'definer-functions'
      WHEN l.lanname = 'c' AND p.prosrc IN ('dblink_record', 'dblink_exec', 'dblink_connect', 'dblink_open',
                                            'dblink_send_query') THEN 'foreign-servers'
      WHEN v.oid IS NOT NULL THEN 'server-functions'
      WHEN l.lanname NOT IN ('internal', 'c') THEN CASE WHEN NOT l.lanpltrusted THEN 'untrusted-languages' END
      -- A function of the system or of an extension under another name; one in C that belongs to another extension.
      WHEN l.lanname = 'internal' AND p.prosrc = ANY (ARRAY(
        SELECT o.prosrc FROM reserved JOIN pg_catalog.pg_proc o ON o.oid = reserved.oid)) THEN 'untrusted-languages'
      WHEN l.lanname = 'c' AND library.name IN (SELECT name FROM pg_catalog.pg_available_extensions)
        -- The untrusted form of a language, as plperlu, has the library of the other.
        AND library.name IS DISTINCT FROM x.extname
        AND library.name IS DISTINCT FROM pg_catalog.regexp_replace(x.extname, 'u$', '') THEN 'untrusted-languages'
      -- An aggregate is of language internal no matter who created it; its own functions count. The constructors of a
      -- range type are internal, and depend on it so (deptype i).
      WHEN p.oid < 16384 OR p.prokind = 'a' OR EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i'
          AND d.refclassid = 'pg_catalog.pg_type'::regclass) THEN NULL
      WHEN x.objid IS NULL THEN 'untrusted-languages'
      END AS finding
  ) kind
  WHERE kind.finding IS NOT NULL
), borrower AS (
  SELECT 'pg_catalog.pg_proc'::regclass::oid AS classid, lender.oid AS objid, lender.oid AS lender FROM lender
  UNION
  SELECT caller.classid, caller.objid, borrower.lender
  FROM borrower
  CROSS JOIN LATERAL (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend d
    -- An operator class depends loosely (a) on its optional functions.
    WHERE d.refclassid = borrower.classid AND d.refobjid = borrower.objid
      AND (d.deptype = 'n' OR (d.deptype = 'a' AND d.classid IN (
        'pg_catalog.pg_amproc'::regclass, 'pg_catalog.pg_amop'::regclass)))
      AND d.classid IN (
      'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_cast'::regclass,
      'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_amproc'::regclass,
      'pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_rewrite'::regclass)
    UNION ALL
    -- No dependency on a function of the server itself is recorded. Its EXECUTE is asked of the owner of an aggregate,
    -- and of nobody where an operator class calls it.
    SELECT borrower.classid, a.aggfnoid::oid
    FROM pg_catalog.pg_aggregate a
    WHERE borrower.classid = 'pg_catalog.pg_proc'::regclass AND borrower.objid < 16384 AND borrower.objid IN (
      a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
      a.aggmfinalfn)
    UNION ALL
    SELECT 'pg_catalog.pg_amproc'::regclass, f.oid
    FROM pg_catalog.pg_amproc f
    WHERE borrower.classid = 'pg_catalog.pg_proc'::regclass AND borrower.objid < 16384 AND borrower.objid = f.amproc
    UNION ALL
    -- The planner may run the negator or the commutator of an operator, of which no dependency is recorded.
    SELECT borrower.classid, o.oid
    FROM pg_catalog.pg_operator o
    WHERE borrower.classid = 'pg_catalog.pg_operator'::regclass AND borrower.objid IN (o.oprnegate, o.oprcom)
  ) caller
  -- A function that only takes or returns a type does not call the functions of the type.
  WHERE borrower.classid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
)
