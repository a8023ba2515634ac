-- How far the index build of a session is: one row. Parallel workers have its statement, not its progress.
-- \set pid '''''' \set statement '''CREATE INDEX CONCURRENTLY'''
SELECT COALESCE(p.phase, ''), COALESCE(m.amname, ''),
  COALESCE(p.blocks_done, 0), COALESCE(p.blocks_total, 0),
  COALESCE(p.tuples_done, 0), COALESCE(p.tuples_total, 0)
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_create_index p USING (pid)
LEFT JOIN pg_class i ON i.oid = p.index_relid LEFT JOIN pg_am m ON m.oid = i.relam
WHERE a.backend_type = 'client backend' AND
\ir ../server/ours.sql
