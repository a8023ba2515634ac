-- The tables that were never analyzed, or have changed a lot since.
-- \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']'
SELECT n.nspname, c.relname FROM pg_namespace n CROSS JOIN unnest(:tables) AS t (name)
JOIN pg_class c ON c.relname = t.name AND c.relnamespace = n.oid
WHERE n.nspname = ANY (:schemas) AND
\ir is_stale.sql
