-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_run_results
SELECT status, COUNT(*) AS n, ROUND(AVG(execution_time), 2) FROM elementary.dbt_run_results GROUP BY status

-- > allowed: dbt_models
SELECT `name` FROM dbt_models WHERE `tags` LIKE '%pii%' ORDER BY `name`
