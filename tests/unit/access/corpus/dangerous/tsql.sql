-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT name FROM dbt_models EXEC sp_configure

-- > refused:
SELECT name FROM dbt_models SELECT email FROM raw.users

-- > refused:
SELECT name FROM dbt_models DROP TABLE dbt_models

-- > refused:
SELECT name FROM dbt_models WAITFOR DELAY '0:1:0'

-- > refused:
SELECT name FROM dbt_models WITH (TABLOCKX)

-- > refused:
SELECT name INTO x FROM dbt_models

-- > refused:
SELECT * FROM OPENROWSET(BULK '/etc/passwd', SINGLE_CLOB) AS x

-- > refused:
SELECT * FROM OPENQUERY(linked, 'select 1')

-- > refused:
SELECT * FROM sys.objects

-- > refused:
SELECT * FROM [raw].[users]

-- > refused:
SELECT * FROM [raw]]x].[users]

-- > refused:
SELECT * FROM dbt_models m CROSS APPLY raw.leak(m.name) x

-- > refused:
SELECT * FROM dbt_models m CROSS APPLY leak(m.name) x

-- > refused:
SELECT dbo.evil(name) FROM dbt_models

-- > refused:
SELECT REPLICATE('x', 1000000000)

-- > refused:
SELECT SPACE(1000000000)

-- > refused:
SELECT STR(1, 1000000000)

-- > refused:
SELECT FORMAT(1, name) FROM dbt_models

-- > refused:
SELECT @@version

-- > refused:
SELECT name FROM dbt_models FOR XML AUTO

-- > refused:
SELECT SUSER_NAME(), USER_NAME()

-- > refused:
SELECT $identity FROM dbt_models

-- > refused:
SELECT name FROM dbt_models SHUTDOWN

-- > refused:
SELECT name FROM dbt_models shutdown WHERE 1 = 1

-- > refused:
SELECT 1 CHECKPOINT

-- > refused:
SELECT name RECONFIGURE FROM dbt_models

-- > refused:
SELECT name FROM dbt_models m JOIN dbt_tests ROLLBACK ON 1 = 1

-- > refused:
SELECT name FROM dbt_models EXEC xp_cmdshell 'dir'

-- > refused:
SELECT * FROM OPENROWSET(BULK '/etc/passwd', SINGLE_CLOB) t, dbt_models

-- > refused:
SELECT * FROM OPENQUERY(srv, 'select 1'), dbt_models

-- > refused:
SELECT name FROM dbt_models WAITFOR DELAY '00:01'

-- > refused:
SELECT NEXT VALUE FOR s FROM dbt_models

-- > refused:
SELECT name FROM dbt_models FOR XML PATH

-- > refused:
SELECT name FROM dbt_models WITH (XLOCK)

-- > refused:
SELECT @@VERSION, HOST_NAME() FROM dbt_models

-- > refused:
SELECT * FROM dbt_models CROSS APPLY raw.f(name)

-- > refused:
SELECT * FROM dbt_models CROSS APPLY (SELECT * FROM raw.users) x

-- > refused:
SELECT apply(name) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models OUTER APPLY sys.dm_exec_sql_text(name) x

-- > refused:
SELECT * FROM raw..users

-- > refused:
SELECT * FROM OPENXML(1, '/x') WITH (a int)

-- > refused:
SELECT * FROM dbt_models FOR SYSTEM_TIME ALL

-- > refused:
SELECT * FROM dbt_models TABLESAMPLE (10 PERCENT)

-- > refused:
SELECT name FROM dbt_models GO SELECT 1

-- > refused:
SELECT @x = name FROM dbt_models

-- > refused:
SELECT * FROM STRING_SPLIT((SELECT MAX(email) FROM raw.users), ',')

-- > refused:
SELECT $PARTITION.f(1), %%physloc%% FROM dbt_models

-- > refused:
SELECT name.query('x') FROM dbt_models

-- > refused:
SELECT REPLICATE(CAST('x' AS varchar(max)), 1000000000) FROM dbt_models

-- > refused:
SELECT * FROM (SELECT * FROM raw.users) p PIVOT (MAX(email) FOR id IN ([1])) q

-- > refused:
SELECT * FROM CHANGETABLE(CHANGES raw.users, 0) c

-- > refused:
SELECT N'x', * FROM raw.users

-- > refused:
SELECT name FROM dbt_models USE master

-- > refused:
SELECT name FROM dbt_models PRINT name
