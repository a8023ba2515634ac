-- The foreign keys of the schemas' tables.
-- \set schemas 'ARRAY[''public'']'
SELECT n.nspname, k.conname, c.relname, f.columns, tn.nspname, t.relname, f.to_columns
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
JOIN pg_constraint k ON k.conrelid = c.oid
JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
CROSS JOIN LATERAL (
  SELECT json_agg(a.attname ORDER BY p) AS columns, json_agg(b.attname ORDER BY p) AS to_columns
  FROM ROWS FROM (unnest(k.conkey), unnest(k.confkey)) WITH ORDINALITY AS u (num, to_num, p)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
  JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.to_num) AS f
-- Partitions have copies of what their table says.
WHERE n.nspname = ANY (:schemas) AND k.contype = 'f' AND k.conparentid = 0
ORDER BY n.nspname, c.relname, k.conname
