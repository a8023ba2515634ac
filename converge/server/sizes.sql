-- Rows and bytes of tables; a partitioned one's, or a parent's, are those of all that hold its rows.
-- Of more than :most tables, as of the last VACUUM or ANALYZE: to ask for the size of one opens it, and
-- the session keeps in memory what it has opened.
-- \set schemas 'ARRAY[''public'']' \set tables 'ARRAY[''a_table'']' \set most 2000
WITH RECURSIVE tree AS (
  SELECT n.nspname, c.relname, c.oid FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
  WHERE n.nspname = ANY (:schemas) AND c.relname = ANY (:tables) AND c.relkind IN ('r', 'p')
  UNION
  SELECT t.nspname, t.relname, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
), asked AS (
  SELECT (SELECT count(*) FROM tree) <= :most::integer AS few,
    current_setting('block_size')::bigint AS block,
    current_setting('server_version_num')::integer >= 140000 AS says_unknown
), sized AS (
  SELECT t.nspname, t.relname, c.relkind, c.reltuples, c.relpages, few, says_unknown,
    CASE WHEN few THEN pg_relation_size(c.oid) / block ELSE greatest(c.relpages, 0) END AS pages,
    CASE WHEN few THEN pg_table_size(c.oid)
      ELSE block * (greatest(c.relpages, 0) + COALESCE(toast.relpages, 0)) END AS bytes
  FROM asked CROSS JOIN tree t JOIN pg_class c ON c.oid = t.oid
  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
), counted AS (
  -- As the planner does: as many rows a page as when it was last looked at, on the pages of now.
  -- Until then `reltuples` is -1, and before 14 it is 0 and so is `relpages`.
  SELECT nspname, relname, bytes, CASE
    WHEN relkind = 'p' OR (pages = 0 AND (few OR (says_unknown AND reltuples = 0))) THEN 0
    WHEN relpages > 0 AND reltuples >= 0 THEN reltuples / relpages * pages END AS rows
  FROM sized
)
SELECT nspname, relname,
  CASE WHEN bool_and(rows IS NOT NULL) THEN round(sum(rows))::bigint END, sum(bytes)::bigint
FROM counted GROUP BY nspname, relname
