-- How far the index build of a session is: one row.
-- \set pid '''''' \set statement '''CREATE INDEX CONCURRENTLY'''
SELECT COALESCE(p.phase, a.state), COALESCE(p.blocks_done, 0), COALESCE(p.blocks_total, 0),
  COALESCE(p.tuples_done, 0), COALESCE(p.tuples_total, 0)
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_create_index p USING (pid) WHERE
\ir ../server/ours.sql
