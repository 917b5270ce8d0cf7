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

-- > refused:
SELECT * FROM remote('127.0.0.1', raw.users), dbt_models

-- > refused:
SELECT * FROM url('http://169.254.169.254/', 'LineAsString'), dbt_models

-- > refused:
SELECT file('/etc/passwd') FROM dbt_models

-- > refused:
SELECT name FROM dbt_models SETTINGS max_execution_time = 0

-- > refused:
SELECT name FROM dbt_models INTO OUTFILE '/tmp/x'

-- > refused:
SELECT name FROM dbt_models FORMAT JSON

-- > refused:
SELECT dictGet('raw.d', 'x', 1) FROM dbt_models

-- > refused:
SELECT joinGet('raw.j', 'x', 1) FROM dbt_models

-- > refused:
SELECT * FROM merge('raw', '.*'), dbt_models

-- > refused:
SELECT * FROM dbt_models, numbers(1000000000000)

-- > refused:
SELECT getSetting('max_threads'), hostName(), sleepEachRow(3) FROM dbt_models

-- > refused:
SELECT catboostEvaluate('/etc/x', 1) FROM dbt_models

-- > refused:
SELECT * FROM executable('x.sh', TSV, 'a String'), dbt_models

-- > refused:
SELECT * FROM view(SELECT * FROM raw.users), dbt_models

-- > refused:
SELECT _path, _file FROM dbt_models

-- > refused:
SELECT * FROM system.users, dbt_models

-- > refused:
FROM system.users SELECT *

-- > refused:
FROM url('http://x') SELECT *

-- > refused:
SELECT * FROM url('http://x', CSV)

-- > refused:
SELECT * FROM remote('x', raw, users)

-- > refused:
SELECT * FROM dbt_models FINAL SAMPLE 0.1

-- > refused:
SELECT name FROM dbt_models SETTINGS max_threads = 1

-- > refused:
WITH (SELECT max(email) FROM raw.users) AS x SELECT x FROM dbt_models

-- > refused:
SELECT name IN raw.users FROM dbt_models

-- > refused:
SELECT in(name, users) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models ANY JOIN users USING name

-- > refused:
SELECT * APPLY(x -> file('/etc/passwd')) FROM dbt_models

-- > refused:
SELECT users.* FROM dbt_models, users

-- > refused:
SELECT name FROM dbt_models LIMIT 1 BY (SELECT 1 FROM raw.users)

-- > refused:
SELECT name FROM dbt_models GROUP BY name WITH TOTALS UNION ALL SELECT email FROM raw.users

-- > refused:
SELECT quantile((SELECT 0.5 FROM raw.users))(1) FROM dbt_models

-- > refused:
SELECT generateUUIDv4(), currentDatabase() FROM dbt_models

-- > refused:
SELECT randomString(1000000000) FROM dbt_models

-- > refused:
SELECT arrayWithConstant(1000000000, 1) FROM dbt_models

-- > refused:
SELECT * FROM VALUES('a String', 'x')

-- > refused:
SELECT * FROM elementary.`users`

-- > refused:
SELECT evalMLMethod(x, 1) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models AS m LEFT ARRAY JOIN file('/etc/passwd') AS x

-- > refused:
SELECT _table, _database FROM dbt_models

-- > refused:
SELECT name ? (SELECT max(email) FROM raw.users) : 1 FROM dbt_models

-- > refused:
SELECT * FROM dbt_models PARALLEL WITH SELECT * FROM raw.users
