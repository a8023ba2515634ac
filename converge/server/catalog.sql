-- The schemas, and pg_temp if this session has it: what their tables hold, and what else is there.
-- \set history '''the_history''' \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']'
-- \set types 'ARRAY[''a_type'']' \set sequences 'ARRAY[''a_sequence'']' \set names 'ARRAY[''an_index'']'
WITH asked AS MATERIALIZED (
  SELECT oid, nspname, :tables AS tables, :types AS types, :sequences AS sequences FROM pg_namespace
  WHERE nspname = ANY (:schemas) OR oid = pg_my_temp_schema()
), documents AS MATERIALIZED (
\ir tables.sql
)
SELECT json_build_object(
  'name', CASE WHEN n.oid = pg_my_temp_schema() THEN '' ELSE n.nspname END,
  'can_create', has_schema_privilege(n.oid, 'CREATE'),
  'relations', (
    SELECT json_object_agg(name, kind) FROM (
      SELECT c.relname AS name, c.relkind::text AS kind FROM pg_class c
      WHERE c.relnamespace = n.oid AND c.relname = ANY (:names)
      UNION  -- There is no index by schema: its objects depend on it.
      SELECT c.relname, c.relkind::text FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
      WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
        AND d.classid = 'pg_class'::regclass
        AND NOT c.relispartition AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
      UNION ALL  -- A table is a type too, so no other type may have its name.
      SELECT t.typname, 'c' FROM pg_type t
      WHERE t.typnamespace = n.oid AND t.typrelid = 0
        AND t.typname = ANY (n.tables || n.types || n.sequences || :history::text)) r),
  'history', (
    SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = n.oid AND c.relname = :history AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped),
  'unmanaged', (  -- Types and sequences. What numbers a column is a part of it.
    SELECT json_object_agg(name, word ORDER BY name) FROM (
      SELECT t.typname AS name, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS word
      FROM pg_depend d JOIN pg_type t ON t.oid = d.objid
      WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
        AND d.classid = 'pg_type'::regclass AND t.typtype IN ('d', 'e')
        AND t.typname <> ALL (n.types)
      UNION ALL SELECT c.relname, 'SEQUENCE' FROM pg_depend s JOIN pg_class c ON c.oid = s.objid
      WHERE s.refclassid = 'pg_namespace'::regclass AND s.refobjid = n.oid
        AND s.classid = 'pg_class'::regclass AND c.relkind = 'S' AND c.relname <> ALL (n.sequences)
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
          AND d.objid = c.oid AND d.deptype IN ('a', 'i'))) u),
  'foreign', (
    SELECT json_agg(c.relname) FROM pg_class c
    WHERE c.relnamespace = n.oid AND c.relname = ANY (:names)
      AND NOT pg_has_role(c.relowner, 'USAGE')),
  -- The tables of which this role sees a part of the rows.
  'hidden', (
    SELECT json_agg(c.relname) FROM pg_class c
    WHERE c.relnamespace = n.oid AND c.relname = ANY (n.tables) AND row_security_active(c.oid)),
  'contents', d.document)
FROM asked n JOIN documents d ON d.namespace = n.oid
