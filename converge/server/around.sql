-- What else is in the `chosen` schemas, and what this role may do there, as a hash of each:
-- a part of states.sql.
WITH relations AS MATERIALIZED (  -- There is no index by schema: its objects depend on it.
  SELECT n.oid AS namespace, c.oid, c.relname, c.relkind, c.relispartition, c.relowner
  FROM chosen n JOIN pg_depend d ON d.refclassid = n.class AND d.refobjid = n.oid
    AND d.classid = 'pg_class'::regclass
  JOIN pg_class c ON c.oid = d.objid
), facts AS (
  SELECT n.oid AS namespace, ROW('rights', has_schema_privilege(n.oid, 'USAGE'),
    has_schema_privilege(n.oid, 'CREATE'), pg_has_role(n.nspowner, 'USAGE'))::text AS fact,
    NULL AS code
  FROM chosen n
  UNION ALL
  SELECT r.namespace, ROW('relation', r.relname, r.relkind, r.relispartition,
    pg_get_userbyid(r.relowner), pg_has_role(r.relowner, 'USAGE'),
    -- What numbers a column is a part of it.
    r.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
      AND d.objid = r.oid AND d.deptype IN ('a', 'i')))::text, NULL
  FROM relations r
  UNION ALL
  SELECT r.namespace, ROW('index', x.relname, r.relname)::text, NULL
  FROM relations r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class x ON x.oid = i.indexrelid
  UNION ALL
  SELECT n.oid, ROW('type', t.typname, t.typtype, pg_has_role(t.typowner, 'USAGE'))::text, NULL
  FROM chosen n JOIN pg_depend d ON d.refclassid = n.class AND d.refobjid = n.oid
    AND d.classid = 'pg_type'::regclass
  JOIN pg_type t ON t.oid = d.objid
  UNION ALL
  SELECT o.namespace, ROW('rows', o.relname, row_security_active(o.oid),
    has_table_privilege(o.oid, 'SELECT'), has_any_column_privilege(o.oid, 'SELECT'),
    has_table_privilege(o.oid, 'UPDATE'), has_table_privilege(o.oid, 'REFERENCES'))::text, NULL
  FROM own o
  UNION ALL
  SELECT n.oid, ROW('history', a.attname, a.attnum, has_table_privilege(c.oid, 'SELECT'))::text, NULL
  FROM chosen n JOIN pg_class c ON c.relname = n.history AND c.relnamespace = n.oid AND c.relkind = 'r'
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
)
\ir hashed.sql
