-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models LATERAL VIEW OUTER explode(from_json(tags, 'array<string>')) t AS tag

-- > allowed: dbt_models
SELECT name, explode(from_json(depends_on_nodes, 'array<string>')) AS upstream FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, t.pos, t.tag FROM dbt_models m, LATERAL posexplode(split(m.tags, ',')) AS t(pos, tag)

-- > allowed: dbt_models
SELECT name, get_json_object(meta, '$.owner') AS owner FROM elementary.dbt_models WHERE array_contains(from_json(tags, 'array<string>'), 'pii')

-- > allowed: dbt_run_results
SELECT date_trunc('DAY', created_at) AS day, percentile_approx(execution_time, 0.95) AS p95, count_if(status = 'error') FROM dbt_run_results GROUP BY 1

-- > allowed: elementary_test_results
SELECT table_name, max_by(status, detected_at) AS last FROM elementary_test_results GROUP BY table_name HAVING last <> 'pass'

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: dbt_models
SELECT meta:owner AS owner FROM dbt_models
