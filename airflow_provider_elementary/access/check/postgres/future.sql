-- Default privileges, except SELECT on tables of the Elementary schema without a grant option. Global entries repeat what
-- PostgreSQL gives PUBLIC anyway: EXECUTE on functions, USAGE on types.
-- proves future-grants: default privileges give SELECT inside the schema at most
SELECT 'future-grants',
       a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END || ' on future ' || kind.name
         || coalesce(' in schema ' || quote_ident(n.nspname), ' in any schema')
         || ' of ' || pg_get_userbyid(d.defaclrole) || ' through ' || r.name,
       r.name,
       'ALTER DEFAULT PRIVILEGES FOR ROLE ' || quote_ident(pg_get_userbyid(d.defaclrole))
         || coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '') || ' REVOKE ' || a.privilege_type || ' ON '
         || upper(kind.name) || ' FROM ' || r.quoted || ';'
FROM pg_catalog.pg_default_acl d
JOIN (VALUES ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'),
      ('L', 'large objects'))
  kind(letter, name) ON kind.letter = d.defaclobjtype::text
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL aclexplode(d.defaclacl) a
JOIN reach r ON r.oid = a.grantee
WHERE a.grantee <> d.defaclrole
  AND NOT (a.privilege_type = 'SELECT' AND NOT a.is_grantable AND kind.letter IN ('r', 'S')
    AND d.defaclnamespace IN (SELECT oid FROM target))
  AND NOT (a.grantee = 0 AND d.defaclnamespace = 0
    AND (kind.letter, a.privilege_type) IN (('f', 'EXECUTE'), ('T', 'USAGE')))
