-- Objects that a reachable role owns, in any database of the cluster.
-- proves ownership: no reachable role owns anything in any database
SELECT 'ownership',
       CASE WHEN d.dbid IN (0, me.oid) THEN pg_describe_object(d.classid, d.objid, d.objsubid)
            ELSE 'an object in database ' || (SELECT datname FROM pg_catalog.pg_database WHERE oid = d.dbid) END
         || ' is owned by ' || r.name,
       r.name, 'REASSIGN OWNED BY ' || r.quoted || ' TO another_role;'
FROM pg_catalog.pg_shdepend d
JOIN reach r ON r.oid = d.refobjid
JOIN pg_catalog.pg_database me ON me.datname = current_database()
WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'o'
UNION ALL
SELECT 'ownership', 'the system catalog is owned by ' || name, name, 'Connect as another role.'
FROM reach WHERE oid = 10
