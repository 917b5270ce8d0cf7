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
