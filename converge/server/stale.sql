-- The tables that were never analyzed, or have changed a lot since.
-- \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']'
WITH named AS MATERIALIZED (  -- Else all tables of a name are read, whatever their schema.
  SELECT oid AS namespace, nspname, unnest(:tables) AS name
  FROM pg_namespace WHERE nspname = ANY (:schemas)
)
SELECT n.nspname, c.relname FROM named n
JOIN pg_class c ON c.relname = n.name AND c.relnamespace = n.namespace
WHERE
\ir is_stale.sql
