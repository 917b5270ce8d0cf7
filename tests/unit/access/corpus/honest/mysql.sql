-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_run_results
SELECT status, COUNT(*) AS n, ROUND(AVG(execution_time), 2) FROM elementary.dbt_run_results GROUP BY status

-- > allowed: dbt_models
SELECT `name` FROM dbt_models WHERE `tags` LIKE '%pii%' ORDER BY `name`

-- > allowed: elementary_test_results
SELECT status, COUNT(*) FROM elementary_test_results GROUP BY status

-- > refused: 'json_extract'
SELECT name, JSON_EXTRACT(meta, '$.owner') FROM dbt_models

-- > refused: 'date_format'
SELECT DATE_FORMAT(created_at, '%Y-%m-%d'), COUNT(*) FROM dbt_run_results GROUP BY 1

-- > refused: 'group_concat'
SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ', ') FROM dbt_models

-- > refused: 'ifnull'
SELECT IFNULL(owner, ''), IF(status='pass',1,0) FROM dbt_run_results

-- > refused: 'timestampdiff'
SELECT TIMESTAMPDIFF(SECOND, execute_started_at, execute_completed_at) FROM dbt_run_results

-- > refused: 'json_table'
SELECT m.name, j.tag FROM dbt_models m, JSON_TABLE(m.tags, '$[*]' COLUMNS (tag VARCHAR(100) PATH '$')) AS j
