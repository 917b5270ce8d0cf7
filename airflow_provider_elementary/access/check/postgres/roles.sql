-- The roles that the session can become.
SELECT name, depth::int FROM reach WHERE oid <> 0 ORDER BY depth, name
