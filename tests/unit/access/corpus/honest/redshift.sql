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
