-- Whether the statistics of a table `c` are stale: a part of stale.sql and of look.sql.
-- 0.1 is the part of a table's rows that may have changed since its last ANALYZE: autovacuum's own
-- default. A standby gets its primary's statistics.
(c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') AND NOT pg_is_in_recovery() AND (
  COALESCE(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NULL
  OR pg_stat_get_mod_since_analyze(c.oid) > 0.1 * GREATEST(pg_stat_get_live_tuples(c.oid), 1)))
