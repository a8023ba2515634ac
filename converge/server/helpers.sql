-- What interrupted runs left on the tables: checks, foreign keys and indexes that exist only between
-- two steps, and whether they forbid a row that was allowed before.
-- \set relations 'ARRAY[''public.a_table'']' \set prefix '''new_'''
SELECT r.relation, 'constraint', k.conname, true,
  format('ALTER TABLE %s DROP CONSTRAINT %I', r.relation, k.conname)
FROM unnest(:relations) AS r (relation)
JOIN pg_constraint k ON k.conrelid = to_regclass(r.relation)
WHERE k.contype IN ('c', 'f') AND k.coninhcount = 0 AND starts_with(k.conname, :prefix)
UNION ALL
SELECT r.relation, 'index', c.relname, i.indisunique,
  format('DROP INDEX %I.%I', n.nspname, c.relname)
FROM unnest(:relations) AS r (relation)
JOIN pg_index i ON i.indrelid = to_regclass(r.relation) JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE starts_with(c.relname, :prefix)
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
ORDER BY 1, 2, 3;
