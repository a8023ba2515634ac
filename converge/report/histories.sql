-- The schemas whose history this role may read, and those whose it may not: the latter are false.
-- \set schemas 'ARRAY[''public'']' \set history '''the_history'''
-- \set columns 'ARRAY[''run'']'
SELECT n.nspname, c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE')
  AND has_table_privilege(c.oid, 'SELECT')
  AND (SELECT array_agg(a.attname::text) FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) @> :columns
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
WHERE n.nspname = ANY (:schemas) AND c.relname = :history ORDER BY n.nspname
