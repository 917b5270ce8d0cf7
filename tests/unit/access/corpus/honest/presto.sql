-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.tags) AS array(varchar))) AS t(tag)

-- > allowed: elementary_test_results
SELECT status, count(*) AS n, approx_distinct(table_name) FROM elementary_test_results GROUP BY status
