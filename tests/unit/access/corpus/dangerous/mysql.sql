-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT * FROM (show users)

-- > refused:
SELECT LPAD(name, 1000000000, 'x') FROM dbt_models

-- > refused:
SELECT LOAD_FILE('/etc/passwd')

-- > refused:
SELECT name FROM dbt_models INTO OUTFILE '/tmp/x'

-- > refused:
SELECT SLEEP(100)

-- > refused:
SELECT current_user

-- > refused:
SELECT LOAD_FILE('/etc/passwd') FROM dbt_models

-- > refused:
SELECT IF(1, LOAD_FILE('/etc/passwd'), name) FROM dbt_models

-- > refused:
SELECT IFNULL((SELECT email FROM raw.users LIMIT 1), '') FROM dbt_models

-- > refused:
SELECT GROUP_CONCAT(email) FROM raw.users

-- > refused:
SELECT JSON_EXTRACT(LOAD_FILE('/etc/passwd'), '$') FROM dbt_models

-- > refused:
SELECT DATE_FORMAT(SLEEP(10), '%Y') FROM dbt_models

-- > refused:
SELECT BENCHMARK(1000000000, MD5(name)) FROM dbt_models

-- > refused:
SELECT GET_LOCK('a', 10) FROM dbt_models

-- > refused:
SELECT name INTO DUMPFILE '/tmp/x' FROM dbt_models

-- > refused:
SELECT name INTO @x FROM dbt_models

-- > refused:
SELECT @@version FROM dbt_models

-- > refused:
SELECT /*!50000 LOAD_FILE('/etc/passwd') */ name FROM dbt_models

-- > refused:
SELECT IF(1, (SELECT password FROM mysql.user LIMIT 1), 0) FROM dbt_models

-- > refused:
SELECT SUBSTRING_INDEX(USER(), '@', 1) FROM dbt_models

-- > refused:
SELECT MASTER_POS_WAIT('a', 1) FROM dbt_models

-- > refused:
SELECT EXTRACTVALUE(name, CONCAT(0x7e, VERSION())) FROM dbt_models

-- > refused:
SELECT REPEAT(name, 1000000000) FROM dbt_models

-- > refused:
SELECT RPAD(name, 1000000000, ' ') FROM dbt_models

-- > refused:
SELECT JSON_VALUE((SELECT meta FROM raw.t), '$.a') FROM dbt_models

-- > refused:
SELECT name INTO OUTFILE '/tmp/x' FROM dbt_models

-- > refused:
SELECT SLEEP(100), BENCHMARK(1000000000, MD5('x')) FROM dbt_models

-- > refused:
SELECT /*!50000 passwd FROM mysql.user UNION SELECT */ name FROM dbt_models

-- > refused:
SELECT @a := name FROM dbt_models

-- > refused:
SELECT GET_LOCK('x', 10) FROM dbt_models

-- > refused:
SELECT name FROM dbt_models PROCEDURE ANALYSE()

-- > refused:
SELECT * FROM raw.users PARTITION (p0)

-- > refused:
SELECT name FROM dbt_models LOCK IN SHARE MODE

-- > refused:
SELECT * FROM dbt_models STRAIGHT_JOIN raw.users

-- > refused:
SELECT 0x41, email FROM raw.users

-- > refused:
SELECT UUID(), DATABASE(), CONNECTION_ID() FROM dbt_models

-- > refused:
SELECT REPEAT(name, 100000000) FROM dbt_models

-- > refused:
SELECT name FROM dbt_models WHERE name = '\' OR 1 IN (SELECT 1 FROM raw.users) -- '

-- > refused:
SELECT MATCH(name) AGAINST('x') FROM raw.users

-- > refused:
SELECT name FROM dbt_models LIMIT 1 INTO OUTFILE '/x'
