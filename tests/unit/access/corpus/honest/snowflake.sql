-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, f.value::string AS tag FROM dbt_models m, LATERAL FLATTEN(input => PARSE_JSON(m.tags)) f

-- > allowed: dbt_models
SELECT f.value::varchar AS owner, COUNT(*) AS models FROM dbt_models m, TABLE(FLATTEN(PARSE_JSON(m.owner))) f GROUP BY 1 ORDER BY 2 DESC

-- > allowed: dbt_models
SELECT m.name, d.value::string upstream, d.index FROM dbt_models m, LATERAL FLATTEN(input => TRY_PARSE_JSON(m.depends_on_nodes), OUTER => TRUE) d WHERE d.value LIKE 'model.%'

-- > allowed: dbt_models
SELECT name, TRIM(s.value) AS tag FROM dbt_models, LATERAL SPLIT_TO_TABLE(tags, ',') s

-- > allowed: elementary_test_results
SELECT table_name, COUNT_IF(status = 'fail') AS failures, ROUND(100 * COUNT_IF(status = 'fail') / COUNT(*), 1) AS rate
FROM ELEMENTARY_TEST_RESULTS WHERE detected_at >= DATEADD(day, -7, CURRENT_TIMESTAMP()) GROUP BY table_name QUALIFY ROW_NUMBER() OVER (ORDER BY failures DESC) <= 10

-- > allowed: dbt_run_results
SELECT DATE_TRUNC('day', created_at::timestamp) AS day, APPROX_PERCENTILE(execution_time, 0.95) p95 FROM analytics.elementary.dbt_run_results WHERE status ILIKE 'success' GROUP BY ALL

-- > allowed: data_monitoring_metrics
SELECT full_table_name, metric_value, LAG(metric_value) OVER (PARTITION BY full_table_name ORDER BY bucket_end) previous FROM data_monitoring_metrics WHERE metric_name = 'row_count'

-- > allowed: dbt_invocations
SELECT TOP 5 invocation_id, DATEDIFF('minute', run_started_at::timestamp, run_completed_at::timestamp) AS minutes FROM dbt_invocations ORDER BY 2 DESC

-- > allowed: dbt_models
SELECT PARSE_JSON(meta):owner::string AS owner, LISTAGG(name, ', ') WITHIN GROUP (ORDER BY name) FROM dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT * FROM (SELECT status, unique_id FROM dbt_run_results) PIVOT (COUNT(unique_id) FOR status IN ('success', 'error'))

-- > allowed: elementary_test_results
SELECT status, COUNT(*) FROM elementary_test_results GROUP BY status

-- > allowed: dbt_run_results
SELECT * FROM dbt_run_results QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: elementary_test_results
SELECT TO_DATE(detected_at) AS d, COUNT_IF(status = 'fail') FROM elementary_test_results GROUP BY ALL ORDER BY d

-- > allowed: dbt_models
SELECT name, ARRAY_SIZE(PARSE_JSON(depends_on_nodes)) AS n FROM dbt_models ORDER BY n DESC

-- > allowed: dbt_models
SELECT m.name, v.value::STRING AS tag FROM dbt_models m, LATERAL FLATTEN(INPUT => PARSE_JSON(m.tags), OUTER => TRUE) v

-- > allowed: dbt_models
SELECT m.name, f.path, f.key, f.value FROM dbt_models m, TABLE(FLATTEN(INPUT => PARSE_JSON(m.meta), RECURSIVE => TRUE)) f

-- > allowed: dbt_run_results
SELECT DATEDIFF(second, execute_started_at::TIMESTAMP, execute_completed_at::TIMESTAMP) FROM dbt_run_results

-- > allowed: dbt_models
SELECT name, TRY_PARSE_JSON(meta):owner::STRING AS owner FROM DBT_MODELS WHERE ARRAY_CONTAINS('pii'::VARIANT, TRY_PARSE_JSON(tags))

-- > allowed: elementary_test_results
SELECT IFF(status = 'pass', 1, 0) AS ok, NVL(failures, 0), ZEROIFNULL(failures) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT MEDIAN(execution_time), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY execution_time) FROM dbt_run_results

-- > refused: 'generator'
WITH d AS (SELECT DATEADD(day, -1 * SEQ4(), CURRENT_DATE) AS day FROM TABLE(GENERATOR(ROWCOUNT => 30))) SELECT d.day, COUNT(r.id) FROM d LEFT JOIN elementary_test_results r ON r.detected_at::DATE = d.day GROUP BY 1

-- > allowed: dbt_models
SELECT OBJECT_CONSTRUCT('n', name, 'o', owner) FROM dbt_models LIMIT 3

-- > allowed: dbt_run_results
SELECT name, MAX_BY(status, generated_at) last FROM dbt_run_results GROUP BY name

-- > allowed: dbt_run_results
SELECT TO_CHAR(created_at::DATE, 'YYYY-MM') m, SUM(execution_time)/60 FROM dbt_run_results GROUP BY m ORDER BY m

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name ILIKE ANY ('stg%', 'int%')

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name LIKE ANY ('stg%', 'int%')

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE REGEXP_LIKE(name, 'stg_.*')

-- > allowed: dbt_invocations
SELECT CONVERT_TIMEZONE('UTC', 'America/New_York', created_at) FROM dbt_invocations

-- > allowed: dbt_models
SELECT SPLIT_PART(unique_id, '.', -1) AS short, LOWER(name) FROM dbt_models

-- > refused: dollar quotes
SELECT $1 FROM dbt_models

-- > allowed: elementary_test_results
SELECT ROUND(DIV0(COUNT_IF(status='fail'), COUNT(*)), 3) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT unique_id, LAST_VALUE(status) IGNORE NULLS OVER (PARTITION BY unique_id ORDER BY generated_at) FROM dbt_run_results

-- > allowed: dbt_tests, elementary_test_results
SELECT t.parent_model_unique_id, COUNT(DISTINCT t.unique_id) FROM dbt_tests t LEFT JOIN elementary_test_results r ON r.test_unique_id = t.unique_id WHERE r.id IS NULL GROUP BY 1

-- > allowed: elementary_test_results
SELECT DATE_TRUNC(week, detected_at::TIMESTAMP_NTZ) AS w, status, COUNT(*) FROM elementary_test_results GROUP BY 1, 2 ORDER BY 1 DESC LIMIT 20

-- > allowed: dbt_run_results
SELECT * EXCLUDE (compiled_code) FROM dbt_run_results LIMIT 5

-- > allowed: dbt_models
SELECT * REPLACE (UPPER(name) AS name) FROM dbt_models

-- > allowed: dbt_models
SELECT name, ARRAY_TO_STRING(PARSE_JSON(tags), ',') FROM dbt_models

-- > allowed: dbt_models
SELECT f.index, f.value FROM dbt_models, LATERAL FLATTEN(PARSE_JSON(owner)) f

-- > allowed: dbt_models
SELECT f.this, f.seq FROM dbt_models AS m JOIN LATERAL FLATTEN(input => SPLIT(m.path, '/')) AS f

-- > allowed: dbt_models
SELECT STRTOK(path, '/', 1), SPLIT(path, '/')[0]::STRING FROM dbt_models

-- > allowed: dbt_run_results
SELECT HOUR(created_at::timestamp), DAYNAME(created_at::timestamp), COUNT(*) FROM dbt_run_results GROUP BY 1, 2

-- > allowed: dbt_run_results
SELECT ARRAY_AGG(DISTINCT status) WITHIN GROUP (ORDER BY status) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT APPROX_COUNT_DISTINCT(unique_id), HLL(unique_id) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT GREATEST_IGNORE_NULLS(1, 2), TRY_TO_NUMBER(failures) FROM dbt_run_results

-- > refused: it is not valid snowflake SQL,
SELECT metric_value, (metric_value - AVG(metric_value) OVER w) / NULLIF(STDDEV(metric_value) OVER w, 0) AS z FROM data_monitoring_metrics WINDOW w AS (PARTITION BY full_table_name, metric_name)

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE ARRAYS_OVERLAP(PARSE_JSON(tags), ARRAY_CONSTRUCT('pii', 'daily'))

-- > allowed: elementary_test_results
SELECT BOOLOR_AGG(status = 'fail') FROM elementary_test_results

-- > allowed: dbt_invocations
SELECT TIMEDIFF(minute, run_started_at::timestamp, run_completed_at::timestamp) FROM dbt_invocations

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: elementary_test_results
SELECT DATEADD('day', -7, CURRENT_TIMESTAMP()) AS since, COUNT_IF(status = 'fail') FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT DATEDIFF('second', execute_started_at::timestamp, execute_completed_at::timestamp) AS s FROM dbt_run_results

-- > allowed: dbt_models
SELECT name, PARSE_JSON(meta):owner::string AS owner FROM dbt_models

-- > allowed: dbt_run_results
SELECT LISTAGG(DISTINCT status, ', ') WITHIN GROUP (ORDER BY status) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT IFF(status = 'pass', 0, 1) AS bad, APPROX_PERCENTILE(execution_time, 0.95) FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_run_results
SELECT * FROM (SELECT status, materialization FROM dbt_run_results) PIVOT(COUNT(status) FOR materialization IN ('table', 'view'))

-- > allowed: dbt_run_results
SELECT unique_id, status, generated_at FROM dbt_run_results QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: dbt_models
SELECT m.name, f.value::string AS tag FROM dbt_models m, LATERAL FLATTEN(input => parse_json(m.tags)) f WHERE f.value::string ILIKE 'pii%'

-- > allowed: dbt_run_results
SELECT date_trunc('month', to_timestamp(generated_at)) AS mon, count_if(status = 'fail') AS fails, listagg(DISTINCT name, ', ') WITHIN GROUP (ORDER BY name) FROM dbt_run_results GROUP BY ALL

-- > allowed: elementary_test_results
SELECT * FROM (SELECT status, date_trunc('day', detected_at) AS d FROM elementary_test_results) PIVOT(count(status) FOR status IN ('pass', 'fail', 'warn')) AS p

-- > allowed: dbt_models
WITH RECURSIVE up (unique_id, lvl) AS (SELECT unique_id, 0 FROM dbt_models WHERE name = 'orders' UNION ALL SELECT f.value::string, up.lvl + 1 FROM up JOIN dbt_models m ON m.unique_id = up.unique_id, LATERAL FLATTEN(input => parse_json(m.depends_on_nodes)) f WHERE up.lvl < 20) SELECT DISTINCT unique_id FROM up

-- > allowed: data_monitoring_metrics
SELECT full_table_name, median(metric_value), stddev(metric_value), max_by(metric_value, bucket_end) FROM data_monitoring_metrics WHERE bucket_end >= dateadd('day', -30, current_timestamp()) GROUP BY 1

-- > allowed: dbt_invocations
SELECT invocation_id, datediff('second', try_to_timestamp(run_started_at), try_to_timestamp(run_completed_at)) AS secs, zeroifnull(threads) FROM dbt_invocations ORDER BY secs DESC NULLS LAST LIMIT 20

-- > allowed: dbt_run_results
SELECT iff(status IN ('error', 'fail'), 1, 0) AS bad, ratio_to_report(count(*)) OVER () AS share FROM dbt_run_results GROUP BY 1

-- > allowed: elementary_test_results
SELECT * FROM (SELECT status, date_trunc('day', detected_at) AS d FROM elementary_test_results) PIVOT(count(status) FOR status IN ('pass' AS p, 'fail', 'warn')) AS p

-- > allowed: dbt_models
SELECT m.name, t.value::string AS tag FROM dbt_models m, LATERAL FLATTEN(input => PARSE_JSON(m.tags)) t

-- > allowed: elementary_test_results
SELECT DATE_TRUNC('day', detected_at::timestamp) d, COUNT_IF(status = 'fail') fails FROM elementary_test_results GROUP BY 1 ORDER BY 1

-- > allowed: dbt_models
SELECT PARSE_JSON(meta):owner::string AS owner, COUNT(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT name, IFF(execution_time > 60, 'slow', 'fast') AS speed FROM dbt_run_results

-- > allowed: dbt_models
SELECT LISTAGG(DISTINCT name, ',') WITHIN GROUP (ORDER BY name) FROM dbt_models

-- > allowed: dbt_run_results
SELECT DATEDIFF('minute', TO_TIMESTAMP(execute_started_at), TO_TIMESTAMP(execute_completed_at)) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT APPROX_PERCENTILE(execution_time, 0.95) FROM dbt_run_results WHERE generated_at >= DATEADD(day, -30, CURRENT_DATE())

-- > allowed: dbt_models
SELECT TRY_PARSE_JSON(tags)[0]::string FROM dbt_models

-- > allowed: dbt_run_results
SELECT name, ROW_NUMBER() OVER (ORDER BY execution_time DESC NULLS LAST) rn FROM dbt_run_results LIMIT 10
