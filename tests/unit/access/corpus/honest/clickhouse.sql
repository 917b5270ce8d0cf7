-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models ARRAY JOIN JSONExtract(tags, 'Array(String)') AS tag

-- > allowed: dbt_models
SELECT name, arrayJoin(JSONExtractArrayRaw(depends_on_nodes)) AS upstream FROM elementary.dbt_models

-- > allowed: dbt_models
SELECT tag, count() FROM dbt_models LEFT ARRAY JOIN splitByChar(',', tags) AS tag GROUP BY tag ORDER BY count() DESC

-- > allowed: elementary_test_results
SELECT toStartOfDay(created_at) AS day, countIf(status = 'fail') AS failed, round(failed / count(), 3) AS rate FROM elementary_test_results WHERE created_at >= now() - INTERVAL 7 DAY GROUP BY day ORDER BY day

-- > allowed: dbt_run_results
SELECT name, argMax(status, generated_at) AS last, quantile(0.95)(execution_time) AS p95 FROM dbt_run_results GROUP BY name

-- > allowed: dbt_models
SELECT name, JSONExtractString(meta, 'owner') AS owner, has(JSONExtract(tags, 'Array(String)'), 'pii') FROM dbt_models

-- > allowed: dbt_models, dbt_tests
SELECT m.name, count(t.unique_id) AS tests FROM dbt_models AS m LEFT JOIN dbt_tests AS t ON t.parent_model_unique_id = m.unique_id GROUP BY m.name

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results ORDER BY generated_at DESC LIMIT 1 BY unique_id

-- > allowed: elementary_test_results
SELECT status, count() FROM elementary_test_results GROUP BY status ORDER BY count() DESC

-- > allowed: dbt_models
SELECT name, arrayJoin(JSONExtract(tags, 'Array(String)')) AS tag FROM dbt_models

-- > allowed: dbt_run_results
SELECT argMax(status, generated_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: elementary_test_results
SELECT toDate(detected_at) AS d, countIf(status = 'fail') FROM elementary_test_results GROUP BY d ORDER BY d

-- > allowed: dbt_run_results
SELECT dateDiff('second', parseDateTimeBestEffort(execute_started_at), parseDateTimeBestEffort(execute_completed_at)) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT quantiles(0.5, 0.9)(execution_time) FROM dbt_run_results

-- > allowed: dbt_models
SELECT groupArray(name), uniq(name), uniqExact(name) FROM dbt_models

-- > allowed: dbt_models
SELECT JSONExtractString(meta, 'owner') FROM dbt_models

-- > allowed: dbt_models
SELECT splitByChar('.', unique_id)[1] FROM dbt_models

-- > allowed: elementary_test_results
SELECT if(status = 'pass', 1, 0), multiIf(status='fail', 2, status='warn', 1, 0) FROM elementary_test_results

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE match(name, '^stg_') AND name NOT ILIKE '%tmp'

-- > allowed: dbt_models
SELECT length(JSONExtractArrayRaw(depends_on_nodes)) FROM dbt_models

-- > allowed: dbt_run_results
SELECT toStartOfHour(created_at) h, avg(execution_time) FROM dbt_run_results WHERE created_at >= now() - INTERVAL 1 DAY GROUP BY h

-- > allowed: dbt_invocations
SELECT formatDateTime(created_at, '%Y-%m-%d') FROM dbt_invocations

-- > allowed: dbt_models
SELECT arrayMap(x -> upper(x), JSONExtract(tags, 'Array(String)')) FROM dbt_models

-- > allowed: dbt_models
SELECT has(JSONExtract(tags, 'Array(String)'), 'pii') FROM dbt_models

-- > allowed: dbt_run_results
SELECT * EXCEPT (compiled_code) FROM dbt_run_results LIMIT 10

-- > allowed: dbt_models
SELECT name FROM dbt_models FINAL

-- > allowed: dbt_run_results
SELECT name, row_number() OVER (PARTITION BY name ORDER BY created_at) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT sumIf(execution_time, status = 'success') / nullIf(count(), 0) FROM dbt_run_results

-- > allowed: dbt_models
SELECT name, t FROM dbt_models ARRAY JOIN JSONExtract(tags, 'Array(String)') AS t

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m LEFT ANTI JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id

-- > allowed: elementary_test_results
SELECT count() FROM elementary_test_results GROUP BY status WITH TOTALS

-- > allowed: dbt_run_results
WITH toDate(created_at) AS d SELECT d, count() FROM dbt_run_results GROUP BY d

-- > allowed: data_monitoring_metrics
SELECT runningDifference(metric_value) FROM data_monitoring_metrics

-- > allowed: dbt_models
SELECT name, JSONExtractKeys(meta) FROM dbt_models

-- > allowed: dbt_run_results
SELECT unique_id, argMax(status, created_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: elementary_test_results
SELECT toStartOfDay(parseDateTimeBestEffort(detected_at)) AS d, countIf(status = 'fail') FROM elementary_test_results GROUP BY d

-- > allowed: dbt_run_results
SELECT quantile(0.95)(execution_time) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT dateDiff('second', toDateTime(execute_started_at), toDateTime(execute_completed_at)) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results ORDER BY created_at DESC LIMIT 1 BY unique_id

-- > refused: WITH FILL in Ordered is not allowed
SELECT toStartOfWeek(parseDateTimeBestEffort(generated_at)) AS w, countIf(status = 'fail') AS f, quantile(0.95)(execution_time) AS p95 FROM dbt_run_results GROUP BY w ORDER BY w WITH FILL

-- > allowed: dbt_run_results
SELECT unique_id, argMax(status, generated_at) AS s, groupArray(5)(status) AS lasts FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT * FROM dbt_run_results ORDER BY generated_at DESC LIMIT 1 BY unique_id

-- > allowed: data_monitoring_metrics
SELECT full_table_name, metric_value, runningDifference(metric_value) FROM data_monitoring_metrics ORDER BY bucket_end

-- > allowed: dbt_models
SELECT arrayStringConcat(groupUniqArray(name), ', ') AS names, owner FROM dbt_models GROUP BY owner HAVING length(names) > 10

-- > allowed: dbt_models
FROM dbt_models SELECT name WHERE name LIKE 'a%'

-- > allowed: elementary_test_results
SELECT toStartOfDay(parseDateTimeBestEffort(detected_at)) AS d, countIf(status = 'fail') AS f FROM elementary_test_results GROUP BY d ORDER BY d

-- > allowed: dbt_run_results
SELECT unique_id, argMax(status, generated_at) AS last FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT JSONExtractString(meta, 'owner') AS owner, uniq(name) FROM dbt_models GROUP BY owner

-- > allowed: dbt_run_results
SELECT multiIf(execution_time > 60, 'slow', execution_time > 10, 'medium', 'fast') AS s, count() FROM dbt_run_results GROUP BY s

-- > allowed: dbt_run_results
SELECT dateDiff('minute', parseDateTimeBestEffort(execute_started_at), parseDateTimeBestEffort(execute_completed_at)) FROM dbt_run_results

-- > allowed: dbt_models
SELECT name FROM elementary.dbt_models WHERE name ILIKE '%stg%' LIMIT 5

-- > allowed: dbt_models
SELECT owner, groupArray(name) FROM dbt_models GROUP BY owner
