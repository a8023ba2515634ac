-- The tables that were never analyzed, or have changed a lot since.
-- \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']'
SELECT n.nspname, c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE n.nspname = ANY (:schemas) AND c.relname = ANY (:tables) AND
\ir is_stale.sql
