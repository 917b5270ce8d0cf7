-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models LATERAL VIEW explode(from_json(tags, 'array<string>')) t AS tag

-- > allowed: dbt_models
SELECT name, posexplode(split(tags, ',')) AS (position, tag) FROM dbt_models

-- > allowed: dbt_run_results
SELECT to_date(created_at) AS day, count(*) AS n, round(avg(execution_time), 2) FROM `elementary`.`dbt_run_results` GROUP BY to_date(created_at)

-- > allowed: dbt_models
SELECT concat_ws('.', schema_name, name) AS relation, size(from_json(tags, 'array<string>')) FROM dbt_models WHERE tags RLIKE 'pii'
