-- The largest of the schemas, in pages as they were last counted: no file is looked at.
-- \set schemas 'ARRAY[''public'']' \set most '''200'''
SELECT n.nspname FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid
WHERE n.nspname = ANY (:schemas)
GROUP BY n.nspname ORDER BY COALESCE(sum(c.relpages), 0) DESC, n.nspname LIMIT :most::integer
