-- What has the name that a sequence of a column would get, and what is compared of it if it is one.
-- \set relation '''public.a_table''' \set column '''id''' \set name '''a_table_id_seq'''
SELECT x.relkind::text, pg_has_role(x.relowner, 'USAGE'), x.relowner = c.relowner, (
\ir sequence.sql
  WHERE s.oid = x.oid)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = :column
JOIN pg_class x ON x.relnamespace = c.relnamespace AND x.relname = :name
WHERE c.oid = :relation::regclass
