-- The indexes of the schemas' tables, and what tells whether one is of use.
-- \set schemas 'ARRAY[''public'']' \set history '''the_history'''
WITH locked AS MATERIALIZED (
\ir locked.sql
), ours AS MATERIALIZED (
  SELECT n.nspname, c.relname AS table_name, x.relname, x.oid, x.relkind, x.relispartition, x.relam,
    x.relpages, x.reltuples, x.reloptions, i.*,
    CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples::bigint
      ELSE pg_stat_get_live_tuples(c.oid) END AS table_rows,
    -- From 18 on, to word a definition takes the table's lock.
    c.oid IN (SELECT relation FROM locked) OR x.oid IN (SELECT relation FROM locked) AS locked
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
  JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid
  WHERE n.nspname = ANY (:schemas) AND c.relkind IN ('r', 'p') AND c.relname <> :history
), widths AS MATERIALIZED (  -- Of what this role may read. An expression's are the index's.
  SELECT DISTINCT ON (schemaname, tablename, attname)
    schemaname, tablename, attname, null_frac, (1 - null_frac) * avg_width AS width
  FROM pg_stats WHERE schemaname = ANY (:schemas)
  ORDER BY schemaname, tablename, attname, inherited
), measured AS MATERIALIZED (
  SELECT o.oid, CASE WHEN bool_and(w.width IS NOT NULL) THEN sum(w.width) END AS width,
    COALESCE(bool_or(w.null_frac > 0), false) AS nulls
  FROM ours o CROSS JOIN LATERAL (
    SELECT o.indkey[p - 1] AS number, p FROM generate_series(1, o.indnatts) p) k
  JOIN pg_attribute a ON a.attrelid = CASE WHEN k.number = 0 THEN o.oid ELSE o.indrelid END
    AND a.attnum = CASE WHEN k.number = 0 THEN k.p ELSE k.number END
  LEFT JOIN widths w ON w.schemaname = o.nspname AND w.attname = a.attname
    AND w.tablename = CASE WHEN k.number = 0 THEN o.relname ELSE o.table_name END
  GROUP BY o.oid
), used AS MATERIALIZED (
  SELECT s.indexrelid, s.idx_scan, (to_jsonb(s) ->> 'last_idx_scan')::timestamptz AS last  -- from 16 on
  FROM pg_stat_all_indexes s WHERE s.schemaname = ANY (:schemas)
), building AS MATERIALIZED (  -- Of another role's build this tells nothing but that it is there.
  SELECT index_relid FROM pg_stat_progress_create_index WHERE datname = current_database()
)
SELECT o.nspname, o.table_name, o.relname,
  CASE WHEN o.locked THEN '' ELSE pg_get_indexdef(o.oid) END,
  CASE WHEN o.locked THEN o.relpages::bigint * current_setting('block_size')::integer
    ELSE COALESCE(pg_relation_size(o.oid), 0) END,
  u.idx_scan, to_char(u.last AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
  m.amname,
  CASE WHEN o.indisunique THEN concat_ws(' ', 'unique', CASE WHEN NOT o.indimmediate THEN 'deferrable'
    END, CASE WHEN (to_jsonb(o) ->> 'indnullsnotdistinct')::boolean THEN 'nulls too' END)  -- from 15 on
    ELSE '' END,
  EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = o.oid AND k.conrelid = o.indrelid
    AND k.contype IN ('p', 'u', 'x')),
  o.indisreplident OR o.indisclustered OR EXISTS (
    SELECT FROM pg_constraint k WHERE k.conindid = o.oid AND k.contype = 'f'),
  o.relkind = 'I' OR o.relispartition,
  o.indisvalid AND o.indisready AND o.indislive,
  EXISTS (SELECT FROM building b WHERE COALESCE(b.index_relid, o.oid) = o.oid),
  -- A column, or an expression, with its operator class, collation and order.
  (SELECT json_agg(concat_ws(' ', CASE WHEN o.indkey[p - 1] <> 0 THEN o.indkey[p - 1]::text
      WHEN o.locked THEN o.indexprs::text ELSE pg_get_indexdef(o.oid, p, false) END,
      o.indclass[p - 1], o.indcollation[p - 1], o.indoption[p - 1]) ORDER BY p)
   FROM generate_series(1, o.indnkeyatts) p),
  (SELECT COALESCE(json_agg(o.indkey[p - 1]::text), '[]')
   FROM generate_series(o.indnkeyatts + 1, o.indnatts) p),
  CASE WHEN o.indpred IS NULL THEN '' WHEN o.locked THEN o.indpred::text
    ELSE pg_get_expr(o.indpred, o.indrelid) END,
  o.table_rows, pg_stat_get_mod_since_analyze(o.indrelid),
  NULLIF(o.reltuples, -1)::bigint, w.width::float, COALESCE(w.nulls, false),
  COALESCE((SELECT substring(option FROM '^fillfactor=(\d+)$')::integer
    FROM unnest(o.reloptions) AS option WHERE option LIKE 'fillfactor=%'), 90),
  current_setting('block_size')::integer
FROM ours o JOIN pg_am m ON m.oid = o.relam
LEFT JOIN used u ON u.indexrelid = o.oid LEFT JOIN measured w ON w.oid = o.oid
ORDER BY o.nspname, o.table_name, o.relname
