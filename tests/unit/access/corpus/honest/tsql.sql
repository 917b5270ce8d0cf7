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

-- > allowed: elementary_test_results
SELECT status, COUNT(*) AS n FROM elementary_test_results GROUP BY status ORDER BY n DESC

-- > allowed: dbt_models
SELECT TOP (10) name FROM dbt_models ORDER BY name

-- > allowed: dbt_models
SELECT m.name, t.value FROM dbt_models m CROSS APPLY OPENJSON(m.tags) t

-- > allowed: dbt_run_results
SELECT DATEDIFF(second, execute_started_at, execute_completed_at) FROM dbt_run_results

-- > allowed: dbt_models
SELECT JSON_VALUE(meta, '$.owner'), COALESCE(owner, '') FROM dbt_models

-- > allowed: dbt_run_results
SELECT FORMAT(created_at, 'yyyy-MM-dd'), COUNT(*) FROM dbt_run_results GROUP BY FORMAT(created_at, 'yyyy-MM-dd')

-- > allowed: dbt_run_results
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) AS rn FROM dbt_run_results) x WHERE rn = 1

-- > allowed: dbt_run_results
SELECT IIF(status = 'pass', 1, 0), ISNULL(failures, 0), TRY_CAST(failures AS int) FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT CAST(detected_at AS date) d, SUM(CASE WHEN status='fail' THEN 1 ELSE 0 END) FROM elementary_test_results GROUP BY CAST(detected_at AS date)

-- > allowed: dbt_models
SELECT name FROM dbt_models ORDER BY name OFFSET 10 ROWS FETCH NEXT 10 ROWS ONLY

-- > allowed: dbt_models
SELECT STRING_AGG(name, ',') WITHIN GROUP (ORDER BY name) FROM dbt_models

-- > allowed: dbt_invocations
SELECT DATEPART(weekday, created_at), EOMONTH(created_at) FROM dbt_invocations

-- > allowed: dbt_models
SELECT m.[name], o.[key], o.[value] FROM [elementary].[dbt_models] AS m OUTER APPLY OPENJSON(m.meta) AS o

-- > allowed: dbt_models
SELECT DISTINCT LEFT(name, 4) FROM dbt_models WHERE name LIKE 'stg[_]%'

-- > allowed: dbt_run_results
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY execution_time) OVER (PARTITION BY name) FROM dbt_run_results

-- > allowed: dbt_models
SELECT TOP 10 m.name, t.value AS tag FROM dbt_models m CROSS APPLY OPENJSON(m.tags) t

-- > allowed: dbt_models
SELECT STRING_AGG(name, ', ') WITHIN GROUP (ORDER BY name) AS names, owner FROM dbt_models GROUP BY owner

-- > allowed: elementary_test_results
SELECT DATEADD(day, DATEDIFF(day, 0, detected_at), 0) AS d, COUNT(*) AS n FROM elementary_test_results WHERE detected_at > DATEADD(day, -7, SYSUTCDATETIME()) GROUP BY DATEADD(day, DATEDIFF(day, 0, detected_at), 0)

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, r.status FROM dbt_models m OUTER APPLY (SELECT TOP 1 status FROM dbt_run_results r WHERE r.unique_id = m.unique_id ORDER BY generated_at DESC) r

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, r.status FROM dbt_models m CROSS APPLY (SELECT TOP 1 status FROM dbt_run_results r WHERE r.unique_id = m.unique_id ORDER BY generated_at DESC) r

-- > allowed: dbt_run_results
SELECT TOP 10 name, execution_time FROM dbt_run_results ORDER BY execution_time DESC

-- > allowed: dbt_models
SELECT TOP (5) name FROM dbt_models ORDER BY name

-- > allowed: elementary_test_results
SELECT CAST(detected_at AS date) AS d, SUM(CASE WHEN status = 'fail' THEN 1 ELSE 0 END) AS f FROM elementary_test_results GROUP BY CAST(detected_at AS date)

-- > allowed: dbt_models
SELECT JSON_VALUE(meta, '$.owner') AS owner, COUNT(*) FROM dbt_models GROUP BY JSON_VALUE(meta, '$.owner')

-- > allowed: dbt_run_results
SELECT DATEDIFF(minute, execute_started_at, execute_completed_at) FROM dbt_run_results

-- > allowed: dbt_models
SELECT STRING_AGG(name, ', ') FROM dbt_models

-- > allowed: dbt_models
SELECT [name], ISNULL([owner], 'x') FROM [elementary].[dbt_models]
