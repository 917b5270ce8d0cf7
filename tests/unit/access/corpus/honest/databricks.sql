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

-- > allowed: elementary_test_results
SELECT status, count(*) FROM elementary_test_results GROUP BY ALL

-- > allowed: dbt_run_results
SELECT * FROM dbt_run_results QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1

-- > allowed: dbt_models
SELECT name, t.tag FROM dbt_models LATERAL VIEW explode(from_json(tags, 'array<string>')) t AS tag

-- > allowed: dbt_models
SELECT name, explode(from_json(tags, 'array<string>')) AS tag FROM dbt_models

-- > allowed: elementary_test_results
SELECT date_format(detected_at, 'yyyy-MM-dd') d, count_if(status = 'fail') FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_run_results
SELECT percentile_approx(execution_time, array(0.5, 0.9)) FROM dbt_run_results

-- > allowed: dbt_models
SELECT meta:owner::string FROM dbt_models

-- > allowed: elementary_test_results
SELECT try_divide(count_if(status='fail'), count(*)) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT timestampdiff(SECOND, execute_started_at, execute_completed_at) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT array_join(collect_set(status), ',') FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT split(path, '/')[0], element_at(split(path, '/'), -1) FROM dbt_models

-- > allowed: dbt_run_results
SELECT * EXCEPT (compiled_code) FROM dbt_run_results

-- > refused: 'sequence'
SELECT d FROM (SELECT explode(sequence(current_date() - 7, current_date())) AS d)

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE array_contains(from_json(tags, 'ARRAY<STRING>'), 'pii')

-- > allowed: dbt_models
SELECT transform(from_json(tags, 'array<string>'), x -> upper(x)) FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, u.dep FROM dbt_models m LATERAL VIEW OUTER explode(from_json(m.depends_on_nodes, 'array<string>')) u AS dep

-- > allowed: dbt_models
SELECT m.name, e.* FROM dbt_models m, LATERAL explode(from_json(m.tags, 'array<string>')) AS e

-- > allowed: elementary_test_results
SELECT date_sub(current_date(), 7), datediff(current_date(), to_date(detected_at)) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT regexp_extract(unique_id, '^([a-z]+)', 1) kind, count(1) FROM dbt_run_results GROUP BY kind

-- > allowed: dbt_models
SELECT nvl(owner, 'none'), coalesce(description, '') FROM dbt_models

-- > allowed: dbt_run_results
SELECT first(status), last(status), max_by(status, generated_at) FROM dbt_run_results

-- > allowed: dbt_models
SELECT `name` FROM `elementary`.`dbt_models` LIMIT 10

-- > allowed: dbt_invocations
SELECT to_timestamp(created_at) + INTERVAL 1 DAY FROM dbt_invocations

-- > refused: 'window'
SELECT window(to_timestamp(created_at), '1 hour').start, count(*) FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_models
SELECT json_tuple(meta, 'owner', 'team') FROM dbt_models

-- > allowed: dbt_models
SELECT name, map_keys(from_json(meta, 'map<string,string>')) FROM dbt_models

-- > allowed: dbt_run_results
SELECT unix_timestamp(execute_completed_at) - unix_timestamp(execute_started_at) AS s FROM dbt_run_results

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name RLIKE '^stg_' AND name NOT LIKE '%tmp'

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models LATERAL VIEW explode(from_json(tags, 'array<string>')) t AS tag

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: elementary_test_results
SELECT date_add(current_date(), -7) AS since, count_if(status = 'fail') FROM elementary_test_results

-- > allowed: dbt_models
SELECT get_json_object(meta, '$.owner') FROM dbt_models

-- > allowed: dbt_run_results
SELECT percentile_approx(execution_time, 0.95) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT collect_set(status) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m LATERAL VIEW explode(from_json(m.tags, 'array<string>')) t AS tag

-- > allowed: dbt_run_results
SELECT date_trunc('WEEK', to_timestamp(generated_at)) w, percentile_approx(execution_time, 0.9) p90, count_if(status = 'error') e FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_models
SELECT concat_ws(', ', sort_array(collect_set(name))) AS names, owner FROM dbt_models GROUP BY owner

-- > allowed: dbt_models
SELECT get_json_object(meta, '$.owner') AS owner, count(*) FROM dbt_models GROUP BY 1 HAVING count(*) > 1

-- > allowed: elementary_test_results
SELECT * FROM (SELECT status, to_date(detected_at) AS d FROM elementary_test_results) PIVOT (count(1) FOR status IN ('pass', 'fail')) ORDER BY d

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m LATERAL VIEW explode(split(m.tags, ',')) t AS tag

-- > allowed: elementary_test_results
SELECT date_trunc('day', to_timestamp(detected_at)) AS d, count_if(status = 'fail') FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_models
SELECT get_json_object(meta, '$.owner') AS owner, count(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT max_by(status, generated_at), unique_id FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT name, datediff(current_date(), to_date(generated_at)) AS age FROM dbt_models

-- > allowed: dbt_models
SELECT `name` FROM `elementary`.`dbt_models` ORDER BY 1 LIMIT 5

-- > allowed: dbt_models
SELECT owner, collect_set(name) FROM dbt_models GROUP BY owner
