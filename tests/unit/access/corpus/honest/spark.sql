-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models LATERAL VIEW explode(from_json(tags, 'array<string>')) t AS tag

-- > allowed: dbt_models
SELECT name, posexplode(split(tags, ',')) AS (position, tag) FROM dbt_models

-- > allowed: dbt_run_results
SELECT to_date(created_at) AS day, count(*) AS n, round(avg(execution_time), 2) FROM `elementary`.`dbt_run_results` GROUP BY to_date(created_at)

-- > allowed: dbt_models
SELECT concat_ws('.', schema_name, name) AS relation, size(from_json(tags, 'array<string>')) FROM dbt_models WHERE tags RLIKE 'pii'

-- > allowed: elementary_test_results
SELECT status, count(*) FROM elementary_test_results GROUP BY status

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models LATERAL VIEW explode(split(regexp_replace(tags, '[\\[\\]"]', ''), ',')) t AS tag

-- > allowed: elementary_test_results
SELECT date_trunc('week', to_timestamp(detected_at)), count(*) FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_models
SELECT get_json_object(meta, '$.owner'), collect_list(name) FROM dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT name, row_number() OVER (PARTITION BY name ORDER BY created_at DESC) rn FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT percentile_approx(execution_time, 0.5) FROM dbt_run_results

-- > allowed: dbt_models
SELECT name, posexplode(from_json(tags, 'array<string>')) AS (i, t) FROM dbt_models

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m LEFT ANTI JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_models
SELECT substring_index(unique_id, '.', -1), size(split(path, '/')) FROM dbt_models

-- > allowed: dbt_invocations
SELECT date_add(current_date(), -7), unix_timestamp() FROM dbt_invocations LIMIT 1

-- > allowed: dbt_models
SELECT m.name, tag FROM dbt_models m LATERAL VIEW OUTER explode(split(m.tags, ',')) AS tag

-- > allowed: elementary_test_results
SELECT * FROM (SELECT status, to_date(detected_at) AS d FROM elementary_test_results) PIVOT (count(1) FOR status IN ('pass', 'fail'))

-- > allowed: dbt_run_results
SELECT unique_id, max_by(status, generated_at), approx_count_distinct(invocation_id) FROM dbt_run_results GROUP BY unique_id

-- > refused: the function 'for' is not on the allow-list
SELECT * FROM (SELECT status, test_type, to_date(detected_at) AS d FROM elementary_test_results) PIVOT (count(1) AS c FOR (status, test_type) IN (('pass', 'x'), ('fail', 'y')))

-- > allowed: dbt_models
SELECT name, explode(from_json(tags, 'array<string>')) AS tag FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m LATERAL VIEW explode(split(m.tags, ',')) t AS tag

-- > allowed: elementary_test_results
SELECT date_trunc('day', to_timestamp(detected_at)) AS d, count_if(status = 'fail') FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_models
SELECT get_json_object(meta, '$.owner') AS owner, count(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT percentile_approx(execution_time, 0.95) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT max_by(status, generated_at), unique_id FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT name, datediff(current_date(), to_date(generated_at)) AS age FROM dbt_models

-- > allowed: dbt_models
SELECT `name` FROM `elementary`.`dbt_models` ORDER BY 1 LIMIT 5

-- > allowed: dbt_models
SELECT owner, collect_set(name) FROM dbt_models GROUP BY owner
