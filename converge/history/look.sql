-- What the last verified run left of each schema, what is there now, and the stale tables.
-- \set schemas 'ARRAY[''public'']' \set history '''the table''' \set note '''{"the key" : '''
WITH noted AS MATERIALIZED (
  SELECT n.oid, n.nspname, h.oid AS history, obj_description(h.oid, 'pg_class') AS note
  FROM pg_namespace n CROSS JOIN LATERAL (
    SELECT CASE WHEN has_schema_privilege(n.oid, 'USAGE') THEN
      to_regclass(format('%I.%I', n.nspname, :history))::oid END AS oid) h
  WHERE n.nspname = ANY (:schemas)
), asked AS MATERIALIZED (
  SELECT oid, nspname, history, note,
    ARRAY(SELECT json_array_elements_text(note::json -> 'tables')) AS tables,
    ARRAY(SELECT json_array_elements_text(note::json -> 'types')) AS types,
    ARRAY(SELECT json_array_elements_text(note::json -> 'sequences')) AS sequences
  FROM noted WHERE starts_with(note, :note)
), documents AS MATERIALIZED (
\ir ../server/tables.sql
)
SELECT n.nspname, n.note,
  json_build_array(
    (SELECT oid FROM pg_database WHERE datname = current_database()), n.history),
  encode(sha256(convert_to(d.document::text, 'UTF8')), 'hex'),
  ARRAY(
    SELECT c.relname::text FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.relnamespace = n.oid AND c.relname = ANY (n.tables) AND
\ir ../server/is_stale.sql
  )
FROM asked n JOIN documents d ON d.namespace = n.oid
