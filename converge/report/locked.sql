-- The relations whose sizes would take a wait, as somebody holds, or waits for, a lock on them that
-- nothing goes with: a part of tables.sql and of indexes.sql.
SELECT relation FROM pg_locks
WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
