-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.value AS tag FROM dbt_models AS m CROSS APPLY OPENJSON(m.tags) AS t

-- > allowed: dbt_models
SELECT m.name, t.owner FROM [elementary].[dbt_models] m OUTER APPLY OPENJSON(m.meta) WITH (owner nvarchar(100) '$.owner') AS t

-- > allowed: dbt_models
SELECT m.name, LTRIM(s.value) AS tag FROM dbt_models m CROSS APPLY STRING_SPLIT(m.tags, ',') s

-- > allowed: elementary_test_results
SELECT TOP 10 table_name, COUNT(*) AS n FROM elementary_test_results WHERE created_at >= DATEADD(day, -7, GETDATE()) AND status = 'fail' GROUP BY table_name ORDER BY n DESC

-- > allowed: dbt_models
SELECT [name], JSON_VALUE(meta, '$.owner') AS [owner name], ISNULL(description, '') FROM elementary.dbt_models WHERE LEN(name) > 3

-- > allowed: dbt_run_results
SELECT CONVERT(date, created_at) AS day, AVG(execution_time) AS average, STRING_AGG(name, ', ') FROM dbt_run_results GROUP BY CONVERT(date, created_at)
