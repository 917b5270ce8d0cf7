-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, unnest(from_json(tags, '["VARCHAR"]')) AS tag FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m, unnest(json_extract_string(m.tags, '$[*]')) AS t(tag)

-- > allowed: dbt_models
SELECT m.name, j.key, j.value FROM dbt_models m, json_each(m.meta) AS j

-- > allowed: dbt_models
SELECT m.name, u.x FROM dbt_models m CROSS JOIN LATERAL (SELECT unnest(string_split(m.path, '/')) AS x) u

-- > allowed: elementary_test_results
SELECT status, count(*) AS n FROM elementary_test_results WHERE try_cast(detected_at AS timestamp) > now()::timestamp - interval 7 day GROUP BY ALL ORDER BY ALL

-- > allowed: dbt_run_results
SELECT unique_id, arg_max(status, generated_at) AS last_status, quantile_cont(execution_time, 0.95) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT * EXCLUDE (compiled_code) FROM dbt_run_results LIMIT 20

-- > allowed: dbt_run_results
SELECT name, strftime(created_at, '%Y-%m-%d') AS day, execution_time FROM elementary.dbt_run_results QUALIFY row_number() OVER (PARTITION BY name ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT list(DISTINCT schema_name), len(list(name)) FROM dbt_models

-- > allowed: dbt_models
SELECT lpad(name, 30, ' ') AS padded, printf('%-20s|%5d', name, 3) FROM dbt_models

-- > refused: SELECT or WITH
FROM dbt_models SELECT name
