-- What would keep the relations from being dropped, or a column of one: what depends on them, or on
-- what goes with them, and does not go with them itself.
-- \set relations 'ARRAY[''public.a_table'']' \set columns 'ARRAY['''']'
WITH RECURSIVE dropped AS (
  SELECT r.name, r.col, 'pg_class'::regclass::oid AS class, c.oid AS object,
    COALESCE(a.attnum::integer, 0) AS part
  FROM unnest(:relations, :columns) AS r (name, col) JOIN pg_class c ON c.oid = to_regclass(r.name)
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = r.col
  WHERE r.col = '' OR a.attnum > 0
  UNION
  -- Automatic, internal, and of a partition: these go with what they depend on.
  -- https://www.postgresql.org/docs/current/catalog-pg-depend.html
  SELECT o.name, o.col, d.classid, d.objid, 0 FROM dropped o JOIN pg_depend d
    ON d.refclassid = o.class AND d.refobjid = o.object AND (o.part = 0 OR d.refobjsubid = o.part)
  WHERE d.deptype IN ('a', 'i', 'P', 'S') AND (d.classid, d.objid) <> (o.class, o.object)
)
SELECT o.name, o.col, array_agg(DISTINCT i.type || ' ' || i.identity)
FROM dropped o JOIN pg_depend d
  ON d.refclassid = o.class AND d.refobjid = o.object AND (o.part = 0 OR d.refobjsubid = o.part)
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
CROSS JOIN LATERAL pg_identify_object(
  CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
  COALESCE(w.ev_class, d.objid), CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END) i
WHERE (d.deptype = 'n'
    -- Before 15 a generated column went without a word with what it is computed from.
    OR d.deptype = 'a' AND (d.classid, d.objid) = (o.class, o.object) AND d.objsubid > 0)
  AND NOT EXISTS (
  SELECT FROM dropped g WHERE g.class = d.classid AND g.object = d.objid
    AND (g.part = 0 OR g.part = d.objsubid))
  -- Objects of a table that goes, such as its foreign keys, go with it.
  AND NOT EXISTS (
    SELECT FROM dropped g WHERE g.class = 'pg_class'::regclass AND g.object = w.ev_class)
GROUP BY o.name, o.col
