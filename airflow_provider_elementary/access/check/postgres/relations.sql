-- Privileges on tables, views and sequences, except SELECT inside the Elementary schema and what the system and extensions
-- gave PUBLIC on their own objects. CASE, because AND has no fixed order and has_table_privilege fails on a privilege of sequences.
-- proves reads-outside-schema: no reachable role, nor PUBLIC, holds SELECT on a table, column or large object outside the schema
-- proves writes-inside-schema: no reachable role, nor PUBLIC, holds more than SELECT on a table or column of the schema
-- proves writes-outside-schema: no reachable role, nor PUBLIC, holds a right to change anything outside the schema
SELECT finding, name || ': ' || string_agg(privilege, ', ' ORDER BY privilege) || ' through ' || through, through,
       'REVOKE ' || string_agg(privilege, ', ' ORDER BY privilege) || ' ON ' || kind || name || ' FROM ' || quoted
         || ';'
FROM (
  SELECT DISTINCT ON (c.oid, p.name)
         CASE WHEN n.oid = (SELECT oid FROM target) THEN 'writes-inside-schema'
              WHEN p.name = 'SELECT' THEN 'reads-outside-schema' ELSE 'writes-outside-schema' END AS finding,
         CASE WHEN c.relkind = 'S' THEN 'SEQUENCE ' ELSE '' END AS kind,
         quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, p.name AS privilege, r.name AS through,
         r.quoted
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.oid <> pg_my_temp_schema()
  JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER'), ('MAINTAIN'),
        ('USAGE')) p(name) ON NOT (p.name = 'SELECT' AND n.oid IN (SELECT oid FROM target))
  JOIN reach r ON CASE
    WHEN c.relkind = 'S' THEN
      CASE WHEN p.name IN ('SELECT', 'UPDATE', 'USAGE') THEN has_sequence_privilege(r.oid, c.oid, p.name) ELSE false END
    WHEN p.name = 'USAGE' THEN false
    WHEN p.name = 'MAINTAIN' AND current_setting('server_version_num')::int < 170000 THEN false
    ELSE has_table_privilege(r.oid, c.oid, p.name) END
  WHERE (c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') OR (c.relkind = 't' AND c.relacl IS NOT NULL))
    AND (c.oid, 0, p.name) NOT IN (SELECT oid, attnum, privilege_type FROM opened)
    AND NOT (n.nspname = 'information_schema' AND c.oid < 16384 AND c.relname !~ '^_pg_' AND p.name = 'SELECT'
      AND c.oid NOT IN (SELECT oid FROM tampered))
  ORDER BY c.oid, p.name, r.depth DESC
) held
GROUP BY finding, kind, name, through, quoted
