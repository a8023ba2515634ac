-- Rows and bytes of tables; a partitioned one's, or a parent's, are those of all that hold its rows.
-- \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']'
WITH RECURSIVE tree AS (
  SELECT n.nspname, c.relname, c.oid FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
  WHERE n.nspname = ANY (:schemas) AND c.relname = ANY (:tables) AND c.relkind IN ('r', 'p')
  UNION
  SELECT t.nspname, t.relname, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
), paged AS (
  SELECT t.*, c.reltuples, c.relpages,
    pg_relation_size(t.oid) / current_setting('block_size')::integer AS pages
  FROM tree t JOIN pg_class c ON c.oid = t.oid
), counted AS (
  -- As the planner does: as many rows a page as when it was last looked at, on the pages of now.
  -- Until then `reltuples` is -1, and before 14 it is 0 and so is `relpages`.
  SELECT nspname, relname, oid, CASE WHEN pages = 0 THEN 0
    WHEN relpages > 0 AND reltuples >= 0 THEN reltuples / relpages * pages END AS rows
  FROM paged
)
SELECT nspname, relname,
  CASE WHEN bool_and(rows IS NOT NULL) THEN round(sum(rows))::bigint END,
  sum(pg_table_size(oid))::bigint, sum(pg_indexes_size(oid))::bigint
FROM counted GROUP BY nspname, relname
