-- Whom a session waits for, or who is in the way of the locks that are `guessed`: a row each.
-- \set pid '''''' \set statement '''''' \set guessed '''[{"schema": "public", "mode": "AccessShareLock"}]'''
-- https://www.postgresql.org/docs/current/explicit-locking.html#TABLE-LOCK-COMPATIBILITY
WITH conflicts (mode, others) AS (VALUES
  ('AccessShareLock', '{AccessExclusiveLock}'::text[]),
  ('RowShareLock', '{ExclusiveLock,AccessExclusiveLock}'),
  ('RowExclusiveLock', '{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('ShareUpdateExclusiveLock', '{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('ShareLock', '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('ShareRowExclusiveLock', '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('ExclusiveLock', '{RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('AccessExclusiveLock', '{AccessShareLock,RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}')
), ours AS MATERIALIZED (
  SELECT a.pid, a.wait_event FROM pg_stat_activity a WHERE
\ir ours.sql
), locks AS MATERIALIZED (  -- `tag`: what is locked
  SELECT *, jsonb_strip_nulls(to_jsonb(l) - '{virtualtransaction,pid,mode,granted,fastpath,waitstart}'::text[]) AS tag
  FROM pg_locks l
), awaited AS (
  SELECT tag, mode, relation FROM locks WHERE NOT granted AND pid IN (SELECT pid FROM ours)
  UNION ALL
  SELECT jsonb_build_object('locktype', 'relation', 'database', d.oid, 'relation', c.oid), g.mode, c.oid
  FROM json_to_recordset(:guessed) AS g (schema text, "table" text, mode text)
  JOIN pg_namespace n ON n.nspname = g.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = COALESCE(g.table, c.relname)
  JOIN pg_database d ON d.datname = current_database()
), in_the_way AS (
  SELECT * FROM awaited
  UNION  -- A lock that is only waited for keeps those who come later waiting, too.
  SELECT w.tag, q.mode, w.relation FROM awaited w JOIN conflicts USING (mode)
  JOIN locks q ON q.tag = w.tag AND q.mode = ANY (others) AND NOT q.granted
), held AS (
  SELECT DISTINCT w.relation, h.pid, h.virtualtransaction FROM in_the_way w JOIN conflicts USING (mode)
  JOIN locks h ON h.tag = w.tag AND h.mode = ANY (others) AND h.granted
  WHERE h.pid IS NULL OR h.pid <> pg_backend_pid() AND h.pid NOT IN (SELECT pid FROM ours)
)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), h.pid,
  COALESCE(NULLIF(s.application_name, ''), s.backend_type, ''), s.state,
  date_trunc('second', statement_timestamp() - s.xact_start)::text, s.query,
  p.gid, p.owner, to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), NULL
FROM held h
LEFT JOIN pg_class c ON c.oid = h.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity s USING (pid)
-- A prepared transaction has no process, and its virtual transaction is -1/xid only after a restart.
LEFT JOIN pg_prepared_xacts p ON h.pid IS NULL AND EXISTS (
  SELECT FROM locks x WHERE x.pid IS NULL AND x.transactionid = p.transaction AND x.granted
    AND x.virtualtransaction = h.virtualtransaction)
WHERE s.pid IS NOT NULL OR p.gid IS NOT NULL
UNION ALL
SELECT NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, current_setting('synchronous_standby_names')
FROM ours WHERE wait_event = 'SyncRep'
ORDER BY 5 DESC NULLS LAST, 1, 2, 7 LIMIT 3
