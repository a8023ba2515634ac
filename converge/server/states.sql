-- The state of each schema: a hash of what is compared of it, and one of all else that a plan may
-- depend on, for this role.
-- \set history '''the_history''' \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']'
-- \set types 'ARRAY[''a_type'']' \set sequences 'ARRAY[''a_sequence'']'
WITH chosen AS MATERIALIZED (
  SELECT tableoid AS class, oid, nspname, nspowner, :history AS history, :tables AS tables,
    :types AS types, :sequences AS sequences
  FROM pg_namespace WHERE nspname = ANY (:schemas)
),
\ir managed.sql
, around AS MATERIALIZED (
\ir around.sql
)
SELECT n.nspname, COALESCE(m.hash, ''), a.hash
FROM chosen n JOIN around a ON a.namespace = n.oid LEFT JOIN managed m ON m.namespace = n.oid
