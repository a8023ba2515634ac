-- What is compared of a sequence `s`, from which the column `a` of the table `c` draws its numbers:
-- a part of tables.sql and of taken.sql, which say which one it is. Not the number that it has come
-- to, which says nothing about the schema.
SELECT json_build_object(
  'name', s.relname,
  'schema', (SELECT nspname FROM pg_namespace
    WHERE oid = s.relnamespace AND oid <> c.relnamespace),
  'type', format_type(q.seqtypid, NULL),
  'start', q.seqstart,
  'increment', q.seqincrement,
  'minimum', q.seqmin,
  'maximum', q.seqmax,
  'cache', q.seqcache,
  'cycle', q.seqcycle,
  'owned', EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
      AND d.deptype IN ('a', 'i')),
  -- Columns that draw from it too, or that own it. What a child has inherited is the table's own;
  -- what a temporary table has copied is gone before anybody could ask.
  'others', (
    SELECT json_agg(u.relation::regclass || '.' || quote_ident(o.attname)
      ORDER BY u.relation::regclass::text, o.attname)
    FROM (
      SELECT f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
      WHERE d.classid = 'pg_attrdef'::regclass
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
      UNION
      SELECT d.refobjid, d.refobjsubid FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')) u (relation, number)
    JOIN pg_attribute o ON o.attrelid = u.relation AND o.attnum = u.number
    JOIN pg_class r ON r.oid = u.relation AND r.relpersistence <> 't'
    WHERE (u.relation, u.number) <> (c.oid, a.attnum) AND NOT EXISTS (
      SELECT FROM pg_inherits i WHERE i.inhrelid = u.relation AND i.inhparent = c.oid)))
FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid
