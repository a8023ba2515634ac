-- What the last verified run left of each schema, what is there now, and the stale tables.
-- \set schemas 'ARRAY[''public'']' \set history '''the table''' \set note '''{"the key" : '''
WITH asked AS MATERIALIZED (  -- Else every history is read, whatever its schema.
  SELECT oid, nspname, :history AS history FROM pg_namespace
  WHERE nspname = ANY (:schemas) AND has_schema_privilege(oid, 'USAGE')
), noted AS MATERIALIZED (
  SELECT n.oid, n.nspname, h.oid AS history, d.description AS note
  FROM asked n JOIN pg_class h ON h.relname = n.history AND h.relnamespace = n.oid
  JOIN pg_description d ON d.objoid = h.oid AND d.classoid = h.tableoid AND d.objsubid = 0
), chosen AS MATERIALIZED (
  SELECT oid, nspname, history, note,
    ARRAY(SELECT json_array_elements_text(note::json -> 'tables')) AS tables,
    ARRAY(SELECT json_array_elements_text(note::json -> 'types')) AS types,
    ARRAY(SELECT json_array_elements_text(note::json -> 'sequences')) AS sequences
  FROM noted WHERE starts_with(note, :note)
),
\ir ../server/managed.sql
, stale AS MATERIALIZED (
  SELECT c.namespace, array_agg(c.relname::text ORDER BY c.relname) AS tables FROM own c WHERE
\ir ../server/is_stale.sql
  GROUP BY c.namespace
)
SELECT n.nspname, n.note,
  json_build_array(
    (SELECT oid FROM pg_database WHERE datname = current_database()), n.history),
  COALESCE(m.hash, ''), COALESCE(s.tables, '{}')
FROM chosen n LEFT JOIN managed m ON m.namespace = n.oid LEFT JOIN stale s ON s.namespace = n.oid
