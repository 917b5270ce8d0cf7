-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT "$path", "$file_size" FROM dbt_models

-- > refused:
USING EXTERNAL FUNCTION f(x VARCHAR) RETURNS VARCHAR LAMBDA 'l' SELECT f(name) FROM dbt_models

-- > refused:
UNLOAD (SELECT name FROM dbt_models) TO 's3://x/' WITH (format = 'PARQUET')

-- > refused:
SELECT * FROM "lambda:x".s.t, dbt_models
