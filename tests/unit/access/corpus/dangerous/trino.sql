-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT * FROM TABLE(system.query(query => 'select 1')), dbt_models

-- > refused:
SELECT * FROM "dbt_models$snapshots"

-- > refused:
SELECT * FROM dbt_models FOR VERSION AS OF 1

-- > refused:
SELECT * FROM system.runtime.queries, dbt_models

-- > refused:
WITH FUNCTION f(x integer) RETURNS integer RETURN x SELECT f(1) FROM dbt_models
