-- Privileges on configuration parameters: new in PostgreSQL 15.
SELECT 'administrative-rights', 'parameter ' || p.parname || ': ' || a.privilege_type || ' through ' || r.name, r.name,
       'REVOKE ' || a.privilege_type || ' ON PARAMETER ' || p.parname || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_parameter_acl p, aclexplode(p.paracl) a, reach r WHERE a.grantee = r.oid
