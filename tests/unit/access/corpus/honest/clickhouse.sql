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
