-- Privileges on large objects.
SELECT CASE WHEN a.privilege_type = 'SELECT' THEN 'reads-outside-schema' ELSE 'writes-outside-schema' END,
       'large object ' || l.oid || ': ' || a.privilege_type || ' through ' || r.name, r.name,
       'REVOKE ' || a.privilege_type || ' ON LARGE OBJECT ' || l.oid || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_largeobject_metadata l, aclexplode(l.lomacl) a, reach r WHERE a.grantee = r.oid
UNION ALL
SELECT 'reads-outside-schema', 'all large objects, since lo_compat_privileges is on', NULL,
       'ALTER SYSTEM SET lo_compat_privileges = off;'
WHERE current_setting('lo_compat_privileges') = 'on'
