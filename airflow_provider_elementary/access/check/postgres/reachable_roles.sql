-- "target" is the Elementary schema. "reach" holds every role that the session can become, NOINHERIT or not, and PUBLIC
-- (oid 0). "depth" is the number of memberships between the session and the role.
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
)
