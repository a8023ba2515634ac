-- Whether `a` of pg_stat_activity is the session that we look for: a part of waits.sql and of
-- progress.sql. Behind a pooler the process id that libpq knows is not the server's, so there the
-- statement tells, of which the view shows the beginning (track_activity_query_size).
(CASE WHEN :pid <> '' THEN a.pid::text = :pid
  ELSE a.state = 'active' AND a.query <> '' AND :statement <> '' AND a.pid <> pg_backend_pid()
    AND (starts_with(a.query, :statement) OR starts_with(:statement, a.query)) END)
