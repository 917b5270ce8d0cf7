-- Statements that would read or do something outside; none may pass.
-- dialects: databricks spark

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
SELECT * FROM json.`/etc/passwd`

-- > refused:
SELECT * FROM delta.`/x`

-- > refused:
SELECT * FROM dbt_models@v1

-- > refused:
SELECT TRANSFORM(name) USING 'cat' AS (x) FROM dbt_models

-- > refused:
SELECT /*+ BROADCAST(m) */ * FROM dbt_models m

-- > refused:
SELECT try_reflect('a', 'b') FROM dbt_models

-- > refused:
SELECT input_file_block_start() FROM dbt_models

-- > refused:
SELECT ai_gen(name) FROM dbt_models

-- > refused:
SELECT * FROM remote_query('c', query => 'select 1')

-- > refused:
SELECT * FROM list_secrets()

-- > refused:
SELECT * FROM IDENTIFIER('raw.users')

-- > refused:
SELECT :x FROM dbt_models

-- > refused:
SELECT explode(sequence(1, 1000000000)) FROM dbt_models

-- > refused:
SELECT space(1000000000) FROM dbt_models

-- > refused:
SELECT from_json(name, (SELECT max(email) FROM raw.users)) FROM dbt_models

-- > refused:
SELECT * FROM global_temp.users

-- > refused:
SELECT * FROM dbt_models LATERAL VIEW explode((SELECT collect_list(email) FROM raw.users)) t AS x

-- > refused:
SELECT * FROM dbt_models PIVOT (count(*) FOR status IN ((SELECT max(email) FROM raw.users)))

-- > refused:
SELECT * FROM dbt_models SORT BY (SELECT 1 FROM raw.users)

-- > refused:
SELECT * FROM dbt_models MINUS SELECT * FROM raw.users

-- > refused:
SELECT * FROM STREAM(raw.users)

-- > refused:
SELECT session_user, user FROM dbt_models

-- > refused:
EXECUTE IMMEDIATE 'select 1'
