-- Memberships in predefined roles, in the roles that managed services use in place of superuser, and ADMIN OPTION.
-- proves role-memberships: every reachable role holds only what the sync needs
SELECT 'role-memberships', 'member of ' || r.name, r.name,
       'REVOKE ' || r.quoted || ' FROM ' || (SELECT quoted FROM reach WHERE depth = 0 ORDER BY name LIMIT 1) || ';'
FROM reach r WHERE r.oid <> 0 AND r.depth > 0
  AND (r.name ~ '^pg_' OR r.name IN ('rds_superuser', 'rds_replication', 'cloudsqlsuperuser', 'alloydbsuperuser',
                                     'azure_pg_admin', 'neon_superuser'))
UNION ALL
SELECT 'role-memberships', r.name || ' may grant ' || g.rolname || ' to others', r.name,
       'REVOKE ADMIN OPTION FOR ' || quote_ident(g.rolname) || ' FROM ' || r.quoted || ';'
FROM reach r JOIN pg_catalog.pg_auth_members m ON m.member = r.oid JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
WHERE m.admin_option
