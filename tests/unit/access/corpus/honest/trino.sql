-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.tags) AS array(varchar))) AS t(tag)

-- > allowed: dbt_models
SELECT m.name, t.tag, t.n FROM analytics.elementary.dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.depends_on_nodes) AS ARRAY(VARCHAR))) WITH ORDINALITY AS t(tag, n)

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m LEFT JOIN UNNEST(split(m.tags, ',')) AS t(tag) ON true

-- > allowed: elementary_test_results
SELECT date_trunc('day', created_at) AS day, count_if(status = 'fail') AS failed FROM elementary_test_results WHERE created_at > current_timestamp - INTERVAL '7' DAY GROUP BY 1

-- > allowed: dbt_run_results
SELECT name, approx_percentile(execution_time, 0.95), max_by(status, generated_at) FROM dbt_run_results GROUP BY name

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.owner') AS owner, array_join(array_agg(name), ', ') FROM dbt_models GROUP BY 1

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE contains(CAST(json_parse(tags) AS array(varchar)), 'pii')
