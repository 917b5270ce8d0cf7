-- The subject and invocation of each result before a time that a condition, now or later, depends on: what is left out
-- is good, lies between good ones, and is no evidence of when something ran first or last.
WITH old AS (
    SELECT kind, subject, full_table_name, level, rank, invocation_id, seen_at,
        seen_at - coalesce(ahead, INTERVAL 0 SECONDS) AS utc, job, ran_at
    FROM leveled LEFT JOIN commands USING (invocation_id) LEFT JOIN jobs USING (invocation_id)
    WHERE seen_at < $until
),
ordered AS (
    SELECT *,
        lag(level) OVER within AS earlier,
        lead(level) OVER within AS later,
        row_number() OVER (PARTITION BY kind, subject, full_table_name, level = 'good' ORDER BY seen_at DESC) AS place
    FROM old
    WINDOW within AS (PARTITION BY kind, subject, full_table_name ORDER BY seen_at, rank)
),
expected AS (
    SELECT DISTINCT g.job, g.last, kind, subject, full_table_name FROM gaps AS g
    JOIN old ON old.job = g.job AND ran_at BETWEEN g.since AND g.last
)
SELECT subject, invocation_id FROM ordered
WHERE level <> 'good' OR place = 1 OR earlier IS NULL OR earlier <> 'good' OR later IS NULL OR (
    kind = 'source_freshness'
    AND utc >= (SELECT max(utc) FROM old WHERE kind = 'source_freshness') - INTERVAL 131 DAYS
)
UNION
-- When a command without a row of its own wrote last.
SELECT arg_max(subject, seen_at), invocation_id FROM old ANTI JOIN commands USING (invocation_id) GROUP BY invocation_id
UNION
-- What each job builds, and what else has built it since the job ran last.
SELECT subject, arg_max(invocation_id, ran_at) FROM old WHERE job IS NOT NULL
GROUP BY job, kind, subject, full_table_name
UNION
SELECT subject, arg_max(invocation_id, ran_at) FROM expected
JOIN old USING (job, kind, subject, full_table_name) WHERE ran_at <= last
GROUP BY job, last, kind, subject, full_table_name
UNION
SELECT e.subject, arg_min(invocation_id, utc) FROM expected AS e
JOIN old AS o ON o.kind = e.kind AND o.subject = e.subject AND o.full_table_name = e.full_table_name AND utc > e.last
GROUP BY e.job, e.last, e.kind, e.subject, e.full_table_name
UNION
-- Names, columns and tables.
SELECT test_unique_id, arg_max(invocation_id, created_at) FROM elementary_test_results WHERE created_at < $until
GROUP BY test_unique_id, test_name, test_short_name, column_name, model_unique_id, database_name, schema_name, table_name
UNION
SELECT unique_id, arg_max(invocation_id, created_at) FROM dbt_run_results WHERE created_at < $until
GROUP BY unique_id, name
