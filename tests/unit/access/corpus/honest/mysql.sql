-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_run_results
SELECT status, COUNT(*) AS n, ROUND(AVG(execution_time), 2) FROM elementary.dbt_run_results GROUP BY status

-- > allowed: dbt_models
SELECT `name` FROM dbt_models WHERE `tags` LIKE '%pii%' ORDER BY `name`

-- > allowed: elementary_test_results
SELECT status, COUNT(*) FROM elementary_test_results GROUP BY status

-- > allowed: dbt_models
SELECT name, JSON_EXTRACT(meta, '$.owner') FROM dbt_models

-- > allowed: dbt_run_results
SELECT DATE_FORMAT(created_at, '%Y-%m-%d'), COUNT(*) FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_models
SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ', ') FROM dbt_models

-- > allowed: dbt_run_results
SELECT IFNULL(owner, ''), IF(status='pass',1,0) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT TIMESTAMPDIFF(SECOND, execute_started_at, execute_completed_at) FROM dbt_run_results

-- > refused: 'json_table'
SELECT m.name, j.tag FROM dbt_models m, JSON_TABLE(m.tags, '$[*]' COLUMNS (tag VARCHAR(100) PATH '$')) AS j

-- > allowed: dbt_run_results
SELECT DATE(created_at) AS day, COUNT(*) FROM dbt_run_results GROUP BY DATE(created_at)

-- > allowed: dbt_models
SELECT name, JSON_UNQUOTE(JSON_EXTRACT(meta, '$.owner')) AS owner FROM dbt_models

-- > allowed: dbt_run_results
SELECT unique_id, ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY created_at DESC) AS n FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT DATEDIFF(NOW(), detected_at) AS days, test_name FROM elementary_test_results WHERE status = 'fail'

-- > allowed: elementary_test_results
SELECT SUM(IF(status = 'fail', 1, 0)) / COUNT(*) AS share FROM elementary_test_results

-- > allowed: dbt_models
SELECT SUBSTRING_INDEX(path, '/', 1) AS folder, COUNT(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE JSON_CONTAINS(tags, '"pii"')

-- > allowed: dbt_run_results
SELECT * FROM dbt_run_results WHERE created_at >= DATE_SUB(NOW(), INTERVAL 7 DAY)

-- > refused: the function 'json_table' is not on the allow-list
SELECT m.name, t.tag FROM dbt_models m, JSON_TABLE(m.tags, '$[*]' COLUMNS (tag VARCHAR(100) PATH '$')) AS t

-- > allowed: dbt_models
SELECT GROUP_CONCAT(DISTINCT name ORDER BY name SEPARATOR ', ') AS names, owner FROM dbt_models GROUP BY owner

-- > allowed: elementary_test_results
SELECT DATE_FORMAT(detected_at, '%Y-%m') AS mon, SUM(status = 'fail') AS f FROM elementary_test_results GROUP BY mon

-- > allowed: elementary_test_results
SELECT DATE(detected_at) AS d, SUM(status = 'fail') AS f FROM elementary_test_results GROUP BY d

-- > allowed: dbt_models
SELECT name, IFNULL(owner, 'x') FROM dbt_models LIMIT 10

-- > allowed: dbt_models
SELECT owner, GROUP_CONCAT(name) FROM dbt_models GROUP BY owner

-- > allowed: dbt_models
SELECT JSON_EXTRACT(meta, '$.owner') FROM dbt_models

-- > allowed: dbt_run_results
SELECT `name`, COUNT(*) FROM `dbt_run_results` GROUP BY `name` HAVING COUNT(*) > 2

-- > allowed: dbt_run_results
SELECT name, CASE WHEN execution_time > 60 THEN 'slow' ELSE 'ok' END FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT unique_id, MAX(generated_at) FROM dbt_run_results GROUP BY unique_id ORDER BY 2 DESC
