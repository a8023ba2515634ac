-- What a database holds, an object a row: its kind, its name, and what it is. Column order, who owns
-- what, and what belongs to an extension or to the history of the tool are left out.
WITH ours AS (
  SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), extensions AS (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relations AS (
  SELECT c.*, format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c
  JOIN ours n ON n.oid = c.relnamespace
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  WHERE 'eater_schema_history' NOT IN (
      c.relname, coalesce((SELECT relname FROM pg_class WHERE oid = i.indrelid), ''))
    AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM extensions)
), types AS (
  SELECT t.*, format('%I.%I', n.nspname, t.typname) AS name
  FROM pg_type t JOIN ours n ON n.oid = t.typnamespace
  WHERE typtype IN ('e', 'd', 'r')
    AND ('pg_type'::regclass, t.oid) NOT IN (SELECT classid, objid FROM extensions)
)
SELECT 'schema', nspname, '' FROM ours
UNION ALL
SELECT 'extension', extname, '' FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL
SELECT 'relation', r.name, concat_ws(' ', 'kind', r.relkind, 'persistence', r.relpersistence,
  array_to_string(r.reloptions, ','), 'identity', r.relreplident,
  'rows secured', r.relrowsecurity, r.relforcerowsecurity,
  'by', am.amname, 'in', space.spcname, pg_get_partkeydef(r.oid),
  pg_get_expr(r.relpartbound, r.oid),
  'parents', (
    SELECT string_agg(inhparent::regclass::text, ',' ORDER BY inhseqno)
    FROM pg_inherits WHERE inhrelid = r.oid
  ))
FROM relations r
LEFT JOIN pg_am am ON am.oid = r.relam
LEFT JOIN pg_tablespace space ON space.oid = r.reltablespace
UNION ALL
SELECT 'column', format('%s.%I', r.name, a.attname), concat_ws(' ',
  format_type(a.atttypid, a.atttypmod),
  CASE WHEN a.attnotnull THEN 'NOT NULL' END,
  'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
  'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''),
  'collation ' || (
    SELECT collname FROM pg_type t JOIN pg_collation c ON c.oid = a.attcollation
    WHERE t.oid = a.atttypid AND typcollation <> a.attcollation
  ),
  'storage', a.attstorage, 'compression ' || nullif(to_jsonb(a) ->> 'attcompression', ''),
  array_to_string(a.attoptions, ','), CASE WHEN NOT a.attislocal THEN 'inherited' END)
FROM relations r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f', 'v', 'm')
UNION ALL
SELECT 'constraint', format('%s %I', coalesce(r.name, t.name), c.conname), concat_ws(' ',
  pg_get_constraintdef(c.oid), 'validated', c.convalidated,
  'enforced ' || (to_jsonb(c) ->> 'conenforced'))
FROM pg_constraint c
LEFT JOIN relations r ON r.oid = c.conrelid
LEFT JOIN types t ON t.oid = c.contypid
WHERE coalesce(r.oid, t.oid) IS NOT NULL AND c.contype <> 't'
UNION ALL
SELECT 'index', r.name, concat_ws(' ',
  pg_get_indexdef(r.oid), 'valid', i.indisvalid, i.indisready, 'immediate', i.indimmediate,
  'clustered', i.indisclustered, 'identity', i.indisreplident)
FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
UNION ALL
SELECT 'sequence', r.name, concat_ws(' ',
  format_type(s.seqtypid, NULL), s.seqstart, 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax,
  'cache', s.seqcache, 'cycle', s.seqcycle,
  'of ' || (
    SELECT format('%s.%I %s', p.refobjid::regclass, a.attname, p.deptype)
    FROM pg_depend p JOIN pg_attribute a ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid
    WHERE p.classid = 'pg_class'::regclass AND p.objid = r.oid AND p.deptype IN ('a', 'i')
      AND p.refclassid = 'pg_class'::regclass
  ))
FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT 'type', t.name, concat_ws(' ', t.typtype,
  (SELECT string_agg(quote_literal(enumlabel), ',' ORDER BY enumsortorder)
    FROM pg_enum WHERE enumtypid = t.oid),
  CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
  CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || t.typdefault,
  (SELECT collname FROM pg_collation WHERE oid = t.typcollation AND t.typtype = 'd'))
FROM types t
UNION ALL
SELECT 'comment', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
FROM pg_description d
WHERE (d.classoid = 'pg_class'::regclass AND d.objoid IN (SELECT oid FROM relations))
  OR (d.classoid = 'pg_type'::regclass AND d.objoid IN (SELECT oid FROM types))
  OR (d.classoid = 'pg_constraint'::regclass AND d.objoid IN (
    SELECT c.oid FROM pg_constraint c WHERE c.conrelid IN (SELECT oid FROM relations)))
UNION ALL
SELECT 'trigger', format('%s %I', r.name, t.tgname), pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
ORDER BY 1, 2, 3
