-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT * FROM parquet.`s3://x`, dbt_models

-- > refused:
SELECT input_file_name(), name FROM dbt_models

-- > refused:
SELECT raise_error('x'), current_catalog() FROM dbt_models, raw.users

-- > refused:
SELECT * FROM range(0, 1000000000000), dbt_models

-- > refused:
INSERT OVERWRITE DIRECTORY '/tmp' SELECT name FROM dbt_models
