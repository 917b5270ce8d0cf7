-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT _metadata FROM dbt_models

-- > refused:
SELECT _metadata.file_path FROM dbt_models

-- > refused:
SELECT m._metadata.file_path FROM dbt_models m

-- > refused:
SELECT _metadata.file_path, 1 AS _metadata FROM dbt_models

-- > refused:
SELECT `_metadata` FROM dbt_models

-- > refused:
SELECT input_file_name() FROM dbt_models

-- > refused:
SELECT current_user()

-- > refused:
SELECT lpad(name, 2147483647, 'x') FROM dbt_models

-- > refused:
SELECT format_string('%1000000000s', name) FROM dbt_models

-- > refused:
SELECT format_number(1, 1000000000)

-- > refused:
SELECT explode(sequence(1, 1000000000))

-- > refused:
SELECT explode((SELECT collect_list(email) FROM raw.users))

-- > refused:
SELECT * FROM dbt_models LATERAL VIEW raw.my_udtf(name) t AS x

-- > refused:
SELECT * FROM dbt_models LATERAL VIEW my_udtf(name) t AS x

-- > refused:
SELECT * FROM range(1000000000)

-- > refused:
SELECT * FROM read_files('/x')

-- > refused:
SELECT * FROM parquet.`/mnt/x`

-- > refused:
SELECT * FROM `raw`.`users` LATERAL VIEW explode(split(email, '')) t AS x

-- > refused:
SELECT * FROM dbt_models JOIN raw.users LATERAL VIEW explode(split(email, '')) t AS x

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
SELECT _metadata.file_path FROM dbt_models

-- > refused:
SELECT TRANSFORM(name) USING 'cat' AS x FROM dbt_models

-- > refused:
SELECT http_request(conn => 'x', method => 'GET', path => '/') FROM dbt_models

-- > refused:
SELECT * FROM (SELECT status FROM dbt_models) PIVOT(java_method('a', 'b') FOR status IN ('a'))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_models) UNPIVOT(v FOR n IN (raw.users))
