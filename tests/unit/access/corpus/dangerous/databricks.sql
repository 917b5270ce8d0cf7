-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT * FROM read_files('/etc/passwd'), dbt_models

-- > refused:
SELECT secret('a', 'b') FROM dbt_models

-- > refused:
SELECT * FROM csv.`/etc/passwd`, dbt_models

-- > refused:
SELECT ai_query('m', name) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models VERSION AS OF 1

-- > refused:
SELECT java_method('java.lang.System', 'getenv') FROM dbt_models

-- > refused:
SELECT reflect('java.lang.Runtime', 'exit') FROM dbt_models

-- > refused:
SELECT * FROM table_changes('raw.users', 1), dbt_models

-- > refused:
SELECT TRANSFORM(name) USING 'cat' AS x FROM dbt_models

-- > refused:
SELECT http_request(conn => 'x', method => 'GET', path => '/') FROM dbt_models

-- > refused:
SELECT * FROM (SELECT status FROM dbt_models) PIVOT(java_method('a', 'b') FOR status IN ('a'))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_models) UNPIVOT(v FOR n IN (raw.users))
