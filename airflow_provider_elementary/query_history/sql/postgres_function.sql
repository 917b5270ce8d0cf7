
  SELECT md5(concat_ws('|', s.userid, s.queryid)), r.rolname::text, sum(s.calls)::bigint,
         sum(s.total_exec_time)::double precision, sum(s.rows)::bigint,
         (sum(s.shared_blks_hit + s.shared_blks_read + s.temp_blks_read) * current_setting('block_size')::bigint)::bigint,
         left(min(s.query), 100001), min(i.stats_reset), min(i.dealloc), statement_timestamp()
  FROM {extension}.pg_stat_statements s
  JOIN pg_catalog.pg_database d ON d.oid = s.dbid AND d.datname = current_database()
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
  CROSS JOIN {extension}.pg_stat_statements_info i
  WHERE s.queryid IS NOT NULL
  GROUP BY s.userid, s.queryid, r.rolname
