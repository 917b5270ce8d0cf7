-- The results before a time, with what decides whether a condition, now or later, depends on them. Of a streak of
-- results that are not good, the first and the newest of each level stay; others may fold into the first that can take them.
CREATE TABLE ordered AS
WITH old AS (
    SELECT kind, subject, full_table_name, level, rank, invocation_id, execution, seen_at, times,
        seen_at - coalesce(ahead, INTERVAL 0 SECONDS) AS utc, job, ran_at,
        lag(level) OVER within AS earlier,
        lead(level) OVER within AS later,
        row_number() OVER (PARTITION BY kind, subject, full_table_name, level = 'good' ORDER BY seen_at DESC) AS place,
        count(CASE WHEN level = 'good' THEN 1 END) OVER (within ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS streak
    FROM leveled LEFT JOIN commands USING (invocation_id) LEFT JOIN jobs USING (invocation_id)
    WHERE seen_at < $until
    WINDOW within AS (PARTITION BY kind, subject, full_table_name ORDER BY seen_at, rank)
),
bad AS (SELECT *, count(*) OVER (PARTITION BY kind, subject, invocation_id) = 1 AS is_only FROM old WHERE level <> 'good')
SELECT *,
    seen_at IN (
        min(seen_at) OVER of_streak, max(seen_at) OVER (PARTITION BY kind, subject, full_table_name, streak, level)
    ) AS is_end,
    first_value(CASE WHEN is_only THEN invocation_id END IGNORE NULLS) OVER (of_streak ORDER BY seen_at, rank)
        AS folds_into
FROM bad WINDOW of_streak AS (PARTITION BY kind, subject, full_table_name, streak)
UNION ALL BY NAME SELECT * FROM old WHERE level = 'good';

-- The subject and invocation of each result that is saved: what is left out lies between others that say the same, and
-- is no evidence of when something ran first or last.
CREATE TABLE needed AS
WITH expected AS (
    SELECT DISTINCT g.job, g.last, kind, subject, full_table_name FROM gaps AS g
    JOIN ordered AS old ON old.job = g.job AND ran_at BETWEEN g.since AND g.last
)
SELECT subject, invocation_id FROM ordered
WHERE CASE
    WHEN level = 'good' THEN place = 1 OR earlier IS NULL OR earlier <> 'good' OR later IS NULL
    ELSE is_end OR NOT is_only OR folds_into IS NULL OR invocation_id = folds_into OR times IS NOT NULL
END OR (
    kind = 'source_freshness'
    AND utc >= (SELECT max(utc) FROM ordered WHERE kind = 'source_freshness') - INTERVAL 131 DAYS
)
UNION
-- When a command without a row of its own wrote last.
SELECT arg_max(subject, seen_at), invocation_id FROM ordered ANTI JOIN commands USING (invocation_id)
GROUP BY invocation_id
UNION
-- What each job builds, and what else has built it since the job ran last.
SELECT subject, arg_max(invocation_id, ran_at) FROM ordered WHERE job IS NOT NULL
GROUP BY job, kind, subject, full_table_name
UNION
SELECT subject, arg_max(invocation_id, ran_at) FROM expected
JOIN ordered USING (job, kind, subject, full_table_name) WHERE ran_at <= last
GROUP BY job, last, kind, subject, full_table_name
UNION
SELECT e.subject, arg_min(invocation_id, utc) FROM expected AS e
JOIN ordered AS o
    ON o.kind = e.kind AND o.subject = e.subject AND o.full_table_name = e.full_table_name AND utc > e.last
GROUP BY e.job, e.last, e.kind, e.subject, e.full_table_name
UNION
-- Names, columns and tables.
SELECT test_unique_id, arg_max(invocation_id, created_at) FROM elementary_test_results WHERE created_at < $until
GROUP BY test_unique_id, test_name, test_short_name, column_name, model_unique_id, database_name, schema_name, table_name
UNION
SELECT unique_id, arg_max(invocation_id, created_at) FROM dbt_run_results WHERE created_at < $until
GROUP BY unique_id, name;

-- By the first result of a streak, when each came that is left out of it, and a hash of the id of its execution.
SELECT kind, unique_id, invocation_id, created_at, execution FROM folded
UNION ALL
SELECT kind, subject, folds_into, seen_at, {hashed}
FROM ordered ANTI JOIN needed USING (subject, invocation_id)
WHERE level <> 'good' AND folds_into IS NOT NULL AND invocation_id IS NOT NULL
ORDER BY ALL
