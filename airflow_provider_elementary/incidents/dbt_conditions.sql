-- One row for each unbroken run of results that are not good, of one subject and table. To count in a window with FILTER,
-- DuckDB looks at all rows before for each row.
WITH runs_of_results AS (
    SELECT
        *,
        count(CASE WHEN level = 'good' THEN 1 END) OVER earlier AS streak,
        min(CASE WHEN level = 'good' THEN seen_at END) OVER later AS good_at
    FROM leveled
    WINDOW
        earlier AS (
            PARTITION BY kind, subject, full_table_name ORDER BY seen_at, rank
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ),
        later AS (
            PARTITION BY kind, subject, full_table_name ORDER BY seen_at, rank
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        )
),
named AS (
    SELECT
        test_unique_id AS subject,
        arg_max(test_name, created_at) AS name,
        arg_max(test_short_name, created_at) AS short_name,
        CASE WHEN count(DISTINCT column_name) = 1 THEN any_value(column_name) END AS column_name
    FROM elementary_test_results GROUP BY test_unique_id
),
named_by_dbt AS (SELECT unique_id AS subject, arg_max(name, created_at) AS name FROM dbt_run_results GROUP BY unique_id),
known AS ({newest_tests})
SELECT
    kind,
    subject,
    full_table_name,
    min(seen_at) AS started_at,
    max(seen_at) AS last_seen,
    any_value(good_at) AS ended_at,
    count(*) + coalesce(sum(len(times)), 0)::BIGINT AS times,
    list_sort(list_concat(list(seen_at), flatten(list(coalesce(times, []))))) AS seen_at,
    last(status ORDER BY level <> 'skipped', seen_at, rank, status) AS state,
    coalesce(any_value(known.name), any_value(named.name), any_value(d.name)) AS name,
    coalesce(any_value(known.short_name), any_value(named.short_name)) AS short_name,
    last(invocation_id ORDER BY seen_at, rank, invocation_id) FILTER (invocation_id IS NOT NULL) AS invocation_id,
    nullif(trim(coalesce(any_value(known.test_column_name), any_value(named.column_name))), '') AS column_name
FROM runs_of_results
LEFT JOIN named USING (subject)
LEFT JOIN named_by_dbt AS d USING (subject)
LEFT JOIN known ON known.unique_id = subject
WHERE level <> 'good'
GROUP BY kind, subject, full_table_name, streak
ORDER BY started_at, kind, subject, full_table_name
