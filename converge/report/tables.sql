-- The tables of the schemas: what they hold, and when they were looked after.
-- \set schemas 'ARRAY[''public'']' \set history '''the_history'''
WITH asked AS MATERIALIZED (
  SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY (:schemas)
), locked AS MATERIALIZED (
\ir locked.sql
)
SELECT n.nspname, c.relname,
  -- -1, and 0 before 14, is that nobody has counted.
  CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples::bigint
    ELSE pg_stat_get_live_tuples(c.oid) END,
  pg_stat_get_dead_tuples(c.oid),
  CASE WHEN c.oid IN (SELECT relation FROM locked) THEN c.relpages::bigint
      * current_setting('block_size')::integer
    ELSE COALESCE(pg_total_relation_size(c.oid), 0) END,
  to_char(GREATEST(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid))
    AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
  to_char(GREATEST(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid))
    AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
  (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod),
      NOT a.attnotnull, COALESCE(a.attnum = ANY (k.conkey), false)) ORDER BY a.attnum)
   FROM pg_attribute a LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'p'
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM asked n JOIN pg_class c ON c.relnamespace = n.oid
WHERE c.relkind IN ('r', 'p') AND c.relname <> :history
ORDER BY n.nspname, c.relname
