-- Whether the statistics `s` of a table `c` are stale: a part of stale.sql and of look.sql.
-- 0.1 is the part of a table's rows that may have changed since its last ANALYZE: autovacuum's own
-- default. A standby gets its primary's statistics.
(c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') AND NOT pg_is_in_recovery() AND (
  COALESCE(s.last_analyze, s.last_autoanalyze) IS NULL
  OR s.n_mod_since_analyze > 0.1 * GREATEST(s.n_live_tup, 1)))
