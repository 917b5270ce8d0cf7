-- The corpus of the SQL guard for a dialect that only sqlglot knows; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT name, count(*) FROM elementary.dbt_models GROUP BY name

-- > allowed: dbt_models
SELECT coalesce(m.name, '') FROM dbt_models m WHERE m.alias IN ('a', 'b')

-- > refused: in this spelling
SELECT * FROM DBT_MODELS

-- > allowed: dbt_models
SELECT * FROM `dbt_models`

-- > allowed: dbt_models
SELECT ifnull(name, '') FROM dbt_models

-- > refused: 'load_file'
SELECT load_file('/etc/passwd')

-- > refused: that some warehouses execute
SELECT 1 /*! UNION SELECT email FROM raw.users */

-- > refused: backslash before a quote
SELECT 'a\' FROM raw.users -- '

-- > refused: only -- and /* */
SELECT 1 # FROM raw.users

-- > refused: INTO is not allowed
SELECT * FROM dbt_models INTO OUTFILE '/tmp/x'

-- > refused: stages, variables
SELECT @@version
