-- The corpus of the SQL guard for a dialect that nobody knows; postgres.sql says how to read it.

-- > refused: no grammar is known
SELECT * FROM dbt_models
