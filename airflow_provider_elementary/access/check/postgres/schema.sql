-- The tables of the Elementary schema: whether the session can read them, whether default privileges cover a rebuilt
-- table, and their owner. One row of NULLs if the schema is empty, none if it does not exist.
SELECT c.relname::text,
       has_schema_privilege(target.oid, 'USAGE') AND coalesce(has_table_privilege(c.oid, 'SELECT'), true),
       EXISTS (
         SELECT FROM pg_catalog.pg_default_acl d, aclexplode(d.defaclacl) a, reach
         WHERE d.defaclrole = c.relowner AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, target.oid)
           AND a.grantee = reach.oid AND a.privilege_type = 'SELECT'
       ),
       pg_get_userbyid(c.relowner)::text
FROM target LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = target.oid AND c.relkind IN ('r', 'p')
