-- Who the session is, how it is connected, and the version of the server.
SELECT session_user::text, current_user::text, current_database()::text, host(inet_client_addr()),
       s.ssl, s.version, current_setting('server_version_num')::int
FROM (SELECT pg_backend_pid() AS pid) me
LEFT JOIN pg_catalog.pg_stat_ssl s ON s.pid = me.pid
