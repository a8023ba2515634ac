-- The relations that cannot be looked into without a wait, as somebody holds, or waits for, a lock
-- that nothing goes with: a part of tables.sql and of indexes.sql.
SELECT relation FROM pg_locks
WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
