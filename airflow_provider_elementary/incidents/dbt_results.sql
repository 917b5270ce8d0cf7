-- Appended to EXECUTIONS_SQL. One row for each result of a test, a run or a freshness check, those apart that the first
-- of a streak stands for: it says when they came.
, events AS (
    SELECT 'test' AS kind, test AS subject, full_table_name, seen_at, status, invocation_id, execution FROM executions
    UNION ALL
    -- A result that was written again counts as it was written last.
    (
        SELECT DISTINCT ON (execution)
            'run', r.unique_id, full_table_name, seen_at, {status} AS stated, r.invocation_id,
            coalesce(nullif(trim(model_execution_id), ''), concat_ws('|', r.unique_id, seen_at)) AS execution
        FROM runs AS r
        LEFT JOIN places AS p ON p.unique_id = r.unique_id AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
        WHERE nullif(trim(r.unique_id), '') IS NOT NULL
        ORDER BY execution, seen_at DESC NULLS LAST, stated, full_table_name
    )
    UNION ALL
    SELECT DISTINCT 'source_freshness', c.unique_id, full_table_name, c.created_at, {status}, c.invocation_id, NULL
    FROM dbt_source_freshness_results AS c
    LEFT JOIN places AS p ON p.unique_id = c.unique_id AND p.invocation_id IS NOT DISTINCT FROM c.invocation_id
    WHERE nullif(trim(c.unique_id), '') IS NOT NULL
)
-- What was skipped says nothing: an earlier result still holds. Where the project asks, it is not good either.
SELECT * REPLACE (coalesce(full_table_name, '') AS full_table_name), {level} AS level, {rank} AS rank
FROM events LEFT JOIN (
    SELECT kind, unique_id AS subject, invocation_id, list(created_at) AS times FROM folded GROUP BY ALL
) USING (kind, subject, invocation_id)
WHERE seen_at IS NOT NULL AND ({level} <> 'skipped' OR subject IN (SELECT unique_id FROM skips))
