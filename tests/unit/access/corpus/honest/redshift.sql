-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: elementary_test_results
SELECT DATE_TRUNC('day', detected_at::timestamp) AS day, SUM(CASE WHEN status = 'fail' THEN 1 ELSE 0 END) failed FROM elementary_test_results WHERE detected_at::timestamp > DATEADD(day, -7, GETDATE()) GROUP BY 1

-- > allowed: dbt_models
SELECT name, JSON_EXTRACT_PATH_TEXT(meta, 'owner') AS owner FROM elementary.dbt_models WHERE tags LIKE '%pii%'

-- > allowed: dbt_models
SELECT name, JSON_EXTRACT_ARRAY_ELEMENT_TEXT(tags, 0) AS first_tag, JSON_ARRAY_LENGTH(tags) FROM dbt_models

-- > allowed: dbt_run_results
SELECT name, MEDIAN(execution_time), LISTAGG(DISTINCT status, ',') WITHIN GROUP (ORDER BY status) FROM dbt_run_results GROUP BY name

-- > refused: disagree about which tables
SELECT m.name, t AS tag FROM (SELECT name, JSON_PARSE(tags) AS tags FROM dbt_models) AS m, m.tags AS t

-- > allowed: elementary_test_results
SELECT status, COUNT(*) FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_run_results
SELECT unique_id, status FROM (SELECT unique_id, status, ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) rn FROM dbt_run_results) WHERE rn = 1

-- > allowed: dbt_run_results
SELECT * FROM dbt_run_results QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: dbt_run_results
SELECT DATEDIFF(second, execute_started_at::timestamp, execute_completed_at::timestamp) FROM dbt_run_results

-- > allowed: dbt_models
SELECT JSON_EXTRACT_PATH_TEXT(meta, 'owner', true) FROM dbt_models

-- > allowed: dbt_run_results
SELECT NVL(owner, 'x'), DECODE(status, 'pass', 1, 0) FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT TO_CHAR(detected_at::timestamp, 'YYYY-MM-DD') FROM elementary_test_results

-- > allowed: dbt_models
SELECT APPROXIMATE COUNT(DISTINCT name) FROM dbt_models

-- > allowed: dbt_run_results
SELECT PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY execution_time) FROM dbt_run_results

-- > allowed: dbt_models
SELECT SPLIT_PART(unique_id, '.', 3), LEN(name) FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name ~ '^stg_' AND name ILIKE '%orders%'

-- > allowed: dbt_models
SELECT TOP 10 name FROM dbt_models ORDER BY name

-- > allowed: dbt_invocations
SELECT CONVERT_TIMEZONE('UTC', 'Europe/Berlin', created_at) FROM dbt_invocations

-- > allowed: elementary_test_results
SELECT COUNT(CASE WHEN status = 'fail' THEN 1 END)::float / NULLIF(COUNT(*), 0) FROM elementary_test_results

-- > refused: the two parsers disagree about which tables it reads
WITH t AS (SELECT JSON_PARSE(tags) AS tags, name FROM dbt_models) SELECT t.name, x FROM t, t.tags AS x

-- > allowed: dbt_invocations
SELECT GETDATE() - MAX(created_at) FROM dbt_invocations

-- > allowed: dbt_models
SELECT listagg(name, ', ') WITHIN GROUP (ORDER BY name) AS names, owner FROM dbt_models GROUP BY owner

-- > allowed: dbt_run_results
SELECT date_trunc('day', generated_at::timestamp) AS d, sum(CASE WHEN status = 'fail' THEN 1 ELSE 0 END) FROM dbt_run_results WHERE generated_at::timestamp > dateadd(day, -7, getdate()) GROUP BY 1

-- > allowed: dbt_models
SELECT name, json_extract_path_text(meta, 'owner') AS o, json_array_length(tags) FROM dbt_models

-- > refused: the two parsers disagree about which tables it reads
SELECT m.name, t FROM (SELECT name, json_parse(tags) AS tags FROM dbt_models) m, m.tags AS t

-- > allowed: dbt_run_results
SELECT unique_id, median(execution_time) OVER (PARTITION BY unique_id), ratio_to_report(execution_time) OVER (PARTITION BY unique_id) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT * FROM (SELECT status, name FROM dbt_run_results) PIVOT (COUNT(name) FOR status IN ('success', 'error'))

-- > allowed: elementary_test_results
SELECT DATE_TRUNC('day', detected_at::timestamp) AS d, SUM(CASE WHEN status = 'fail' THEN 1 ELSE 0 END) FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_models
SELECT name, JSON_EXTRACT_ARRAY_ELEMENT_TEXT(tags, 0) AS first_tag FROM dbt_models

-- > allowed: dbt_models
SELECT owner, LISTAGG(name, ', ') WITHIN GROUP (ORDER BY name) FROM dbt_models GROUP BY owner

-- > allowed: dbt_run_results
SELECT DATEDIFF(minute, execute_started_at::timestamp, execute_completed_at::timestamp) AS minutes FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT TOP 10 name, execution_time FROM dbt_run_results ORDER BY execution_time DESC

-- > allowed: dbt_run_results
SELECT unique_id, NVL(status, 'none') FROM dbt_run_results WHERE generated_at > DATEADD(day, -7, GETDATE())

-- > allowed: dbt_models
SELECT JSON_EXTRACT_PATH_TEXT(meta, 'owner') AS o, COUNT(*) FROM elementary.dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT MEDIAN(execution_time), APPROXIMATE COUNT(DISTINCT name) FROM dbt_run_results
