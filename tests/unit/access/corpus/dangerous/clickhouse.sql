-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT _path FROM dbt_models

-- > refused:
SELECT _part, _partition_id FROM dbt_models

-- > refused:
SELECT m._table FROM dbt_models m

-- > refused:
SELECT arrayJoin(range(1000000000))

-- > refused:
SELECT x FROM dbt_models ARRAY JOIN (SELECT groupArray(email) FROM raw.users) AS x

-- > refused:
SELECT x FROM dbt_models ARRAY JOIN tags AS x JOIN raw.users AS u ON 1

-- > refused:
SELECT x FROM dbt_models ARRAY JOIN tags AS x, dictGet('raw.d', 'email', 1) AS y

-- > refused:
SELECT leftPad('x', 1000000000)

-- > refused:
SELECT rightPad(name, 1000000000) FROM dbt_models

-- > refused:
SELECT toFixedString(name, 1000000000) FROM dbt_models

-- > refused:
SELECT CAST(name AS FixedString(1000000000)) FROM dbt_models

-- > refused:
SELECT bar(1, 0, 1, 1000000000)

-- > refused:
SELECT format('{}{}', name, 'x', description), format(name, 1) FROM dbt_models

-- > refused:
SELECT replaceAll(description, 'a', description) FROM dbt_models

-- > refused:
SELECT repeat('x', 1000000000)

-- > refused:
SELECT currentUser()

-- > refused:
SELECT * FROM (show tables)

-- > refused:
SELECT name FROM dbt_models WHERE name IN ("users")

-- > refused:
SELECT * FROM dbt_models ARRAY JOIN arrayMap(x -> (SELECT max(email) FROM raw.users), [1]) AS y

-- > refused:
SELECT * FROM values('x String DEFAULT file(\'/etc/passwd\')', 1)

-- > refused:
SELECT * FROM VALUES('x Int8', 1, 2)
