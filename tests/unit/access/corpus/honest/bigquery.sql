-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, tag FROM `analytics.elementary.dbt_models`, UNNEST(JSON_VALUE_ARRAY(tags)) AS tag

-- > allowed: dbt_models
SELECT m.name, dep, pos FROM elementary.dbt_models m LEFT JOIN UNNEST(JSON_EXTRACT_STRING_ARRAY(m.depends_on_nodes)) AS dep WITH OFFSET AS pos ON TRUE

-- > allowed: dbt_models
SELECT name, (SELECT STRING_AGG(t, '|' ORDER BY t) FROM UNNEST(JSON_VALUE_ARRAY(tags)) AS t) AS tags FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE 'pii' IN UNNEST(JSON_VALUE_ARRAY(tags))

-- > allowed: dbt_models
SELECT name FROM dbt_models m WHERE EXISTS (SELECT 1 FROM UNNEST(SPLIT(m.tags, ',')) t WHERE TRIM(t) = 'pii')

-- > allowed: elementary_test_results
SELECT DATE(detected_at) AS day, COUNTIF(status = 'fail') AS failed, SAFE_DIVIDE(COUNTIF(status = 'fail'), COUNT(*)) FROM `elementary.elementary_test_results` WHERE detected_at >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY) GROUP BY day

-- > allowed: dbt_run_results
SELECT name, APPROX_QUANTILES(execution_time, 100)[OFFSET(95)] AS p95 FROM dbt_run_results GROUP BY name

-- > allowed: dbt_models
SELECT * EXCEPT (description), JSON_VALUE(meta, '$.owner') AS owner FROM dbt_models

-- > allowed: dbt_run_results
SELECT ARRAY_AGG(status ORDER BY generated_at DESC LIMIT 1)[SAFE_OFFSET(0)] AS last, unique_id FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models, dbt_tests
WITH t AS (SELECT parent_model_unique_id AS id, COUNT(*) AS n FROM dbt_tests GROUP BY 1)
SELECT m.name, IFNULL(t.n, 0) AS tests FROM dbt_models AS m LEFT JOIN t ON t.id = m.unique_id WHERE NOT ENDS_WITH(m.name, '_tmp') ORDER BY tests

-- > allowed: elementary_test_results
SELECT status, COUNT(*) AS n FROM elementary_test_results GROUP BY status ORDER BY n DESC

-- > allowed: dbt_run_results
SELECT * FROM dbt_run_results WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: dbt_run_results
SELECT TIMESTAMP_DIFF(TIMESTAMP(execute_completed_at), TIMESTAMP(execute_started_at), SECOND) FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT FORMAT_TIMESTAMP('%Y-%m-%d', TIMESTAMP(detected_at)) d, COUNTIF(status='fail') FROM elementary_test_results GROUP BY d

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models CROSS JOIN UNNEST(JSON_EXTRACT_STRING_ARRAY(tags)) AS tag

-- > allowed: dbt_models
SELECT name, ARRAY_LENGTH(JSON_QUERY_ARRAY(depends_on_nodes)) FROM dbt_models

-- > refused: 'generate_date_array'
SELECT d, COUNT(r.id) FROM UNNEST(GENERATE_DATE_ARRAY(DATE_SUB(CURRENT_DATE(), INTERVAL 7 DAY), CURRENT_DATE())) AS d LEFT JOIN elementary_test_results r ON DATE(r.detected_at) = d GROUP BY d

-- > allowed: dbt_run_results
SELECT unique_id, STRING_AGG(DISTINCT status, ', ' ORDER BY status) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT REGEXP_EXTRACT(unique_id, r'^([^.]+)\.') AS kind, COUNT(*) FROM dbt_run_results GROUP BY kind

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE REGEXP_CONTAINS(name, r'^stg_')

-- > allowed: elementary_test_results
SELECT PARSE_DATE('%Y-%m-%d', SUBSTR(detected_at, 1, 10)) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT PERCENTILE_CONT(execution_time, 0.9) OVER (PARTITION BY name) FROM dbt_run_results

-- > allowed: dbt_models
SELECT * REPLACE (LOWER(name) AS name) FROM dbt_models

-- > allowed: dbt_models
SELECT AS STRUCT name, owner FROM dbt_models

-- > allowed: dbt_models
SELECT STRUCT(name, owner) AS s FROM dbt_models

-- > allowed: dbt_models
SELECT ARRAY(SELECT AS STRUCT t FROM UNNEST(JSON_VALUE_ARRAY(tags)) t) FROM dbt_models

-- > allowed: dbt_run_results
SELECT IF(status = 'pass', 0, 1), IFNULL(failures, 0), SAFE_CAST(failures AS INT64) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT EXTRACT(DAYOFWEEK FROM created_at) dow, COUNT(1) FROM dbt_run_results GROUP BY dow

-- > allowed: elementary_test_results
SELECT DATE_TRUNC(DATE(detected_at), WEEK(MONDAY)) w, COUNT(*) FROM elementary_test_results GROUP BY w

-- > allowed: dbt_run_results
SELECT name, LOGICAL_OR(status = 'error') FROM dbt_run_results GROUP BY name

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models AS m LEFT JOIN dbt_tests AS t ON t.parent_model_unique_id = m.unique_id WHERE t.unique_id IS NULL

-- > allowed: dbt_run_results
SELECT ANY_VALUE(status HAVING MAX generated_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT TO_JSON_STRING(STRUCT(name, owner)) FROM dbt_models

-- > allowed: dbt_models
SELECT SPLIT(path, '/')[SAFE_OFFSET(1)] AS folder, COUNT(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_models
SELECT COUNT(*) FROM `analytics`.`elementary`.`dbt_models`

-- > allowed: dbt_models
SELECT name, offset, t FROM dbt_models, UNNEST(JSON_VALUE_ARRAY(tags)) t WITH OFFSET

-- > allowed: dbt_invocations
SELECT DATETIME_DIFF(CURRENT_DATETIME(), DATETIME(TIMESTAMP(created_at)), HOUR) FROM dbt_invocations

-- > allowed: elementary_test_results
SELECT status, ROUND(100 * COUNT(*) / SUM(COUNT(*)) OVER (), 2) FROM elementary_test_results GROUP BY status

-- > allowed: elementary_test_results
SELECT test_name, failures FROM elementary_test_results WHERE detected_at > CAST(TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY) AS STRING) LIMIT 100

-- > allowed: dbt_models, dbt_tests
SELECT unique_id FROM dbt_models EXCEPT DISTINCT SELECT parent_model_unique_id FROM dbt_tests

-- > allowed: data_monitoring_metrics
SELECT AVG(metric_value) OVER (PARTITION BY full_table_name ORDER BY UNIX_SECONDS(TIMESTAMP(bucket_end)) RANGE BETWEEN 86400 PRECEDING AND CURRENT ROW) FROM data_monitoring_metrics

-- > allowed: dbt_models
SELECT JSON_VALUE(PARSE_JSON(meta), '$.owner') FROM dbt_models

-- > allowed: dbt_models
SELECT PARSE_JSON(meta).owner FROM dbt_models

-- > allowed: dbt_models
SELECT COUNT(DISTINCT name), APPROX_COUNT_DISTINCT(name) FROM dbt_models

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models, UNNEST(JSON_EXTRACT_STRING_ARRAY(tags)) AS tag

-- > allowed: elementary_test_results
SELECT TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), TIMESTAMP(detected_at), HOUR) AS age FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: dbt_run_results
SELECT DATE_TRUNC(DATE(TIMESTAMP(created_at)), WEEK) AS w, COUNTIF(status = 'error') FROM dbt_run_results GROUP BY w

-- > allowed: dbt_run_results
SELECT * EXCEPT (compiled_code) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT APPROX_QUANTILES(execution_time, 100)[OFFSET(95)] AS p95 FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT SAFE_DIVIDE(COUNTIF(status = 'fail'), COUNT(*)) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT ARRAY_AGG(status ORDER BY created_at DESC LIMIT 3) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT m.name, tag FROM dbt_models AS m, UNNEST(JSON_VALUE_ARRAY(m.tags)) AS tag WHERE tag != 'x'

-- > allowed: dbt_run_results
SELECT DATE_TRUNC(DATE(TIMESTAMP(generated_at)), WEEK) AS w, COUNTIF(status = 'fail') AS fails, SAFE_DIVIDE(COUNTIF(status = 'fail'), COUNT(*)) AS rate FROM dbt_run_results GROUP BY w ORDER BY w

-- > allowed: dbt_run_results
SELECT unique_id, APPROX_QUANTILES(execution_time, 100)[OFFSET(95)] AS p95 FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT * EXCEPT (compiled_code) FROM dbt_run_results WHERE TIMESTAMP(generated_at) > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY) QUALIFY RANK() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: dbt_models
SELECT STRING_AGG(DISTINCT name ORDER BY name LIMIT 5) AS some, schema_name FROM dbt_models GROUP BY schema_name

-- > allowed: data_monitoring_metrics
SELECT table_name, ARRAY_AGG(STRUCT(metric_name, metric_value) ORDER BY bucket_end DESC LIMIT 3) AS last_three FROM (SELECT SPLIT(full_table_name, '.')[SAFE_OFFSET(2)] AS table_name, metric_name, metric_value, bucket_end FROM data_monitoring_metrics) GROUP BY table_name

-- > allowed: elementary_test_results
SELECT * FROM (SELECT status, DATE(detected_at) AS d FROM elementary_test_results) PIVOT(COUNT(*) FOR status IN ('pass', 'fail'))

-- > allowed: elementary_test_results
SELECT d, n_pass FROM (SELECT status, DATE(detected_at) AS d FROM elementary_test_results) PIVOT(COUNT(*) AS n FOR status IN ('pass', 'fail'))

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models, UNNEST(JSON_VALUE_ARRAY(tags)) AS tag WHERE tag != 'x'

-- > allowed: elementary_test_results
SELECT DATE_TRUNC(DATE(detected_at), WEEK) AS w, COUNTIF(status = 'fail') AS f FROM elementary_test_results GROUP BY w ORDER BY w

-- > allowed: dbt_run_results
SELECT unique_id, ARRAY_AGG(status ORDER BY generated_at DESC LIMIT 1)[OFFSET(0)] AS last_status FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT JSON_VALUE(meta, '$.owner') AS owner, COUNT(*) n FROM `analytics.elementary.dbt_models` GROUP BY owner

-- > allowed: dbt_run_results
SELECT TIMESTAMP_DIFF(TIMESTAMP(execute_completed_at), TIMESTAMP(execute_started_at), SECOND) AS s FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT APPROX_QUANTILES(execution_time, 4) FROM dbt_run_results

-- > allowed: dbt_models
SELECT * EXCEPT (compiled_code) FROM dbt_models LIMIT 10

-- > allowed: elementary_test_results
SELECT IF(status = 'pass', 1, 0) AS ok, SAFE_CAST(failures AS INT64) FROM elementary_test_results

-- > allowed: elementary_test_results
SELECT FORMAT_DATE('%Y-%m', DATE(detected_at)) AS m, ROUND(SAFE_DIVIDE(COUNTIF(status='pass'), COUNT(*)), 3) FROM elementary_test_results GROUP BY 1
