-- Who the session is, how it is connected, and the version of the server. Compiles no query of this session any more: the
-- planner expects far more rows of the system catalog than there are, and would compile for seconds.
SELECT session_user::text, current_user::text, current_database()::text, host(inet_client_addr()),
       s.ssl, s.version, current_setting('server_version_num')::int,
       CASE WHEN current_setting('jit', true) IS NOT NULL THEN set_config('jit', 'off', false) END
FROM (SELECT pg_backend_pid() AS pid) me
LEFT JOIN pg_catalog.pg_stat_ssl s ON s.pid = me.pid
