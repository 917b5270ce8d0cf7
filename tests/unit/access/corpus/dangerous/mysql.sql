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
