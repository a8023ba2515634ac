-- What is compared of the `chosen` schemas (oid, nspname, tables, types, sequences), as a hash of
-- each: a part of states.sql and of look.sql. Whatever tables.sql reads changes it, and nothing that
-- differs between schemas which the models made: neither oids nor the schema's own name.
-- A fact is a row; `code` is that part of it in which the server names things.
-- `class` is a catalog's number: where pg_depend is joined by that and not by a constant, it is never
-- read whole for each row, whatever the server knows of it. Of a database that has been filled just
-- now it knows nothing.
named AS MATERIALIZED (
  SELECT oid AS namespace, 'table' AS what, unnest(tables) AS name FROM chosen
  UNION ALL SELECT oid, 'type', unnest(types) FROM chosen
  UNION ALL SELECT oid, 'sequence', unnest(sequences) FROM chosen
), own AS MATERIALIZED (
  SELECT n.namespace, c.tableoid AS class, c.oid, c.relname, c.relkind, c.relpersistence,
    c.reloptions, c.relam, c.reltablespace, c.relowner, c.relreplident, c.relnatts,
    'pg_type'::regclass AS class_of_types, c.reltype, c.reloftype,
    c.relispartition, c.relhassubclass, c.relhasrules, c.relhastriggers,
    -- By their numbers, which begin with 1 and leave none out.
    ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
      ORDER BY a.attnum) AS columns
  FROM named n JOIN pg_class c ON c.relname = n.name AND c.relnamespace = n.namespace
  WHERE n.what = 'table' AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
), keys AS MATERIALIZED (
  SELECT o.namespace, o.relname, k.tableoid AS class, k.oid, k.conname, k.contype,
    k.condeferrable, k.condeferred, k.convalidated, k.coninhcount, k.connoinherit, k.conindid,
    CASE WHEN cardinality(k.conkey) > 1
      THEN ARRAY(SELECT o.columns[u.number] FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
        ORDER BY u.place)
      ELSE ARRAY[o.columns[k.conkey[1]]] END AS columns
  FROM own o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype IN ('p', 'u', 'c', 'f', 'x', 'n')
), indexes AS MATERIALIZED (
  SELECT o.namespace, o.relname AS "table", x.oid, x.relname, x.relam, x.reloptions,
    x.relispartition, i.indisunique, i.indisvalid AND i.indisready AND i.indislive AS valid,
    i.indisreplident, i.indisclustered, i.indnkeyatts, i.indclass, i.indcollation, i.indoption,
    COALESCE(i.indpred, i.indexprs) IS NOT NULL AS expressions, i.nulls_equal,
    CASE WHEN i.indnatts > 1 THEN
      ARRAY(SELECT o.columns[u.number] FROM unnest(i.indkey) WITH ORDINALITY u (number, place)
        ORDER BY u.place)
      ELSE ARRAY[o.columns[i.indkey[0]]] END AS columns
  -- The column is there from 15 on: before, its name is found one level up.
  FROM (VALUES (false)) AS before_15 (indnullsnotdistinct)
  CROSS JOIN LATERAL (SELECT p.*, indnullsnotdistinct AS nulls_equal FROM pg_index p) i
  JOIN own o ON o.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
), own_types AS MATERIALIZED (
  SELECT n.namespace, t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod,
    t.typcollation, t.typnotnull, t.typdefaultbin
  FROM named n JOIN pg_type t ON t.typname = n.name AND t.typnamespace = n.namespace
  WHERE n.what = 'type' AND t.typtype IN ('e', 'd')
), users AS MATERIALIZED (  -- What hangs on a column, but for what a table has by itself.
  SELECT o.namespace, o.relname, o.oid AS relation, o.columns[d.refobjsubid] AS "column",
    d.refobjsubid AS number, d.classid, d.objid, d.objsubid
  FROM own o JOIN pg_depend d ON d.refclassid = o.class AND d.refobjid = o.oid
    AND d.refobjsubid > 0 AND CASE d.classid
      WHEN 'pg_class'::regclass THEN d.deptype = 'i'
      WHEN 'pg_constraint'::regclass THEN d.deptype = 'n'
      ELSE d.classid NOT IN ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass) END
), draws AS MATERIALIZED (  -- A column and the sequence that numbers it.
  SELECT o.namespace, o.relname, a.adrelid AS relation, a.adnum::integer AS number, o.class,
    q.seqrelid AS sequence
  FROM own o JOIN pg_attrdef a ON a.adrelid = o.oid
  JOIN pg_depend d ON d.classid = a.tableoid AND d.objid = a.oid AND d.refclassid = o.class
  JOIN pg_sequence q ON q.seqrelid = d.refobjid
  UNION
  SELECT u.namespace, u.relname, u.relation, u.number, u.classid, q.seqrelid
  FROM users u JOIN pg_sequence q ON u.classid = 'pg_class'::regclass AND q.seqrelid = u.objid
), facts AS (
  SELECT o.namespace, ROW('table', o.relname, o.relkind, o.relpersistence, o.reloptions, m.amname,
      s.spcname, pg_get_userbyid(o.relowner), o.relreplident, o.relnatts)::text AS fact,
    CASE WHEN o.reloftype <> 0 THEN format_type(o.reloftype, NULL) END AS code
  FROM own o LEFT JOIN pg_am m ON m.oid = o.relam LEFT JOIN pg_tablespace s ON s.oid = o.reltablespace
  UNION ALL
  SELECT o.namespace, ROW('partitioned', o.relname)::text, pg_get_partkeydef(o.oid)
  FROM own o WHERE o.relkind = 'p'
  UNION ALL
  SELECT o.namespace, ROW('partition', o.relname)::text, pg_partition_root(o.oid)::regclass::text
  FROM own o WHERE o.relispartition
  UNION ALL
  SELECT o.namespace, ROW('parent', o.relname, p.inhseqno)::text, p.inhparent::regclass::text
  FROM own o JOIN pg_inherits p ON p.inhrelid = o.oid
  UNION ALL
  SELECT p.namespace, ROW('part', p.relname, c.relkind)::text, c.oid::regclass::text FROM (
    WITH RECURSIVE parts AS (
      -- The flag stays when the last child has gone, until an ANALYZE.
      SELECT o.namespace, o.relname, o.oid FROM own o
      WHERE o.relhassubclass AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = o.oid)
      UNION
      SELECT p.namespace, p.relname, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid)
    SELECT * FROM parts) p
  JOIN pg_class c ON c.oid = p.oid
  UNION ALL
  SELECT u.namespace, ROW('row type', u.relname)::text,
    u.relation::regclass::text || ' ' || quote_ident(a.attname) FROM (
    WITH RECURSIVE uses AS (
      SELECT o.namespace, o.relname, o.class_of_types, o.reltype AS type, NULL::oid AS relation,
        0 AS number, 'c'::"char" AS kind
      FROM own o WHERE o.reltype <> 0
      UNION
      SELECT u.namespace, u.relname, u.class_of_types,
        CASE WHEN d.classid = u.class_of_types THEN d.objid
        WHEN r.relkind IN ('c', 'v') THEN r.reltype END, r.oid, d.objsubid, r.relkind
      FROM uses u JOIN pg_depend d
        ON d.refclassid = u.class_of_types AND d.refobjid = u.type
      LEFT JOIN pg_class r ON d.classid = 'pg_class'::regclass AND r.oid = d.objid)
    SELECT * FROM uses WHERE kind IN ('r', 'm', 'p') AND number > 0) u
  JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number
  UNION ALL
  SELECT o.namespace, ROW('rule', o.relname, w.rulename)::text, NULL
  FROM own o JOIN pg_rewrite w ON w.ev_class = o.oid
  WHERE o.relhasrules AND w.ev_type = '2' AND w.is_instead AND w.ev_enabled <> 'D'
  UNION ALL
  SELECT o.namespace, ROW('trigger', o.relname, g.tgname)::text, NULL
  FROM own o JOIN pg_trigger g ON g.tgrelid = o.oid
  WHERE o.relhastriggers AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 <> 0
  UNION ALL
  SELECT n.oid, ROW('published', p.pubname, p.pubupdate, p.pubdelete)::text, NULL
  FROM pg_publication p CROSS JOIN chosen n WHERE p.puballtables
  UNION ALL
  SELECT n.oid, ROW('published', p.pubname, p.pubupdate, p.pubdelete)::text, NULL
  FROM pg_publication p
  JOIN pg_depend d ON d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid
    AND d.classid = to_regclass('pg_catalog.pg_publication_namespace')
  JOIN pg_depend s ON s.classid = d.classid AND s.objid = d.objid
    AND s.refclassid = 'pg_namespace'::regclass
  JOIN chosen n ON n.oid = s.refobjid
  UNION ALL
  SELECT o.namespace, ROW('published', o.relname, p.pubname, p.pubupdate, p.pubdelete, w.columns,
    w.filter)::text, r.prrelid::regclass::text
  FROM (SELECT o.namespace, o.relname, o.oid FROM own o
    UNION SELECT o.namespace, o.relname, a.relid
    FROM own o CROSS JOIN LATERAL pg_partition_ancestors(o.oid) a WHERE o.relispartition) o
  JOIN pg_publication_rel r ON r.prrelid = o.oid JOIN pg_publication p ON p.oid = r.prpubid
  CROSS JOIN LATERAL (SELECT
    -- From 15 on.
    ARRAY(SELECT a.attname::text
      FROM jsonb_array_elements_text(NULLIF(to_jsonb(r) -> 'prattrs', 'null')) u (number)
      JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = u.number::smallint
      ORDER BY 1) AS columns,
    ARRAY(SELECT DISTINCT a.attname::text
      FROM regexp_matches(to_jsonb(r) ->> 'prqual', 'varattno ([0-9]+)', 'g') AS u (found)
      JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = u.found[1]::smallint
      ORDER BY 1) AS filter) w
  UNION ALL
  SELECT o.namespace, ROW('comment', o.relname, o.columns[d.objsubid], d.description)::text, NULL
  FROM own o JOIN pg_description d ON d.objoid = o.oid AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT x.namespace, ROW('comment', x.relname, d.description)::text, NULL
  FROM indexes x JOIN pg_description d ON d.objoid = x.oid AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT k.namespace, ROW('comment', k.relname, 'constraint', k.conname, d.description)::text, NULL
  FROM keys k JOIN pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass
  WHERE k.contype <> 'n'
  UNION ALL
  SELECT o.namespace, ROW('column', o.relname, a.attname, a.attnotnull, a.attgenerated,
    a.attidentity, a.attinhcount > 0, l.collname)::text, format_type(a.atttypid, a.atttypmod)
  FROM own o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
  UNION ALL
  SELECT o.namespace, ROW('default', o.relname, o.columns[d.adnum])::text,
    pg_get_expr(d.adbin, d.adrelid)
  FROM own o JOIN pg_attrdef d ON d.adrelid = o.oid
  UNION ALL
  SELECT s.namespace, ROW('draws', s.relname, a.attname, q.seqtypid::regtype, q.seqstart,
    q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle)::text, q.seqrelid::regclass::text
  FROM draws s JOIN pg_sequence q ON q.seqrelid = s.sequence
  JOIN pg_attribute a ON a.attrelid = s.relation AND a.attnum = s.number
  UNION ALL
  SELECT s.namespace, ROW('drawn', s.relname, s.kind)::text,
    s.sequence::regclass || ' ' || r.oid::regclass || ' ' || quote_ident(a.attname)
  FROM (
    SELECT s.namespace, s.relname, s.sequence, 'by' AS kind, f.adrelid AS relation,
      f.adnum::integer AS number
    FROM draws s JOIN pg_depend d ON d.refclassid = s.class
      AND d.refobjid = s.sequence
    JOIN pg_attrdef f ON d.classid = f.tableoid AND f.oid = d.objid
    UNION
    SELECT s.namespace, s.relname, s.sequence, 'and owned by', d.refobjid, d.refobjsubid
    FROM draws s JOIN pg_depend d ON d.classid = s.class AND d.objid = s.sequence
      AND d.refclassid = s.class AND d.deptype IN ('a', 'i')) s
  JOIN pg_class r ON r.oid = s.relation AND r.relpersistence <> 't'
  JOIN pg_attribute a ON a.attrelid = s.relation AND a.attnum = s.number
  UNION ALL
  SELECT u.namespace, ROW('user', u.relname, u.column)::text, i.type || ' ' || i.identity
  FROM users u
  LEFT JOIN pg_constraint k ON u.classid = 'pg_constraint'::regclass AND k.oid = u.objid
  LEFT JOIN pg_rewrite w ON u.classid = 'pg_rewrite'::regclass AND w.oid = u.objid
  CROSS JOIN LATERAL pg_identify_object(
    CASE WHEN w.oid IS NULL THEN u.classid ELSE 'pg_class'::regclass END,
    COALESCE(w.ev_class, u.objid), CASE WHEN w.oid IS NULL THEN u.objsubid ELSE 0 END) i
  WHERE u.classid <> 'pg_class'::regclass AND (k.oid IS NULL OR k.contype = 'f')
  UNION ALL
  SELECT k.namespace, ROW('user', k.relname, 'constraint', k.conname)::text, i.type || ' ' || i.identity
  FROM keys k JOIN pg_depend d ON d.refclassid = k.class
    AND d.refobjid = k.oid AND d.deptype = 'n' AND k.contype <> 'n'
  LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
  CROSS JOIN LATERAL pg_identify_object(
    CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
    COALESCE(w.ev_class, d.objid), CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END) i
  UNION ALL
  -- There is no index by what a foreign key refers to: its dependencies have one.
  SELECT u.namespace, ROW('referenced', u.relname, f.conname, f.conparentid = 0, x.relname)::text,
    f.conrelid::regclass || ' ' || pg_get_constraintdef(f.oid)
  FROM users u JOIN pg_constraint f ON u.classid = 'pg_constraint'::regclass AND f.oid = u.objid
    AND f.contype = 'f' AND f.confrelid = u.relation AND f.confkey[1] = u.number
  LEFT JOIN pg_class x ON x.oid = f.conindid
  UNION ALL
  SELECT k.namespace, ROW('constraint', k.relname, k.conname, k.contype, k.condeferrable,
      k.condeferred, k.convalidated, k.coninhcount > 0, k.connoinherit, k.columns, x.relname)::text,
    CASE WHEN k.contype IN ('c', 'f', 'x') THEN pg_get_constraintdef(k.oid) END
  FROM keys k LEFT JOIN pg_class x ON x.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
  UNION ALL
  -- Operator classes and collations by number: those of the server have the same name for good.
  SELECT x.namespace, ROW('index', x.table, x.relname, x.indisunique, x.relam, x.valid,
      x.indisreplident, x.indisclustered, x.reloptions, x.nulls_equal, x.columns, x.indnkeyatts,
      x.indclass, x.indcollation, x.indoption)::text,
    CASE WHEN x.expressions THEN pg_get_indexdef(x.oid) END
  FROM indexes x
  UNION ALL
  SELECT x.namespace, ROW('index', x.relname, c.oid, c.opcname,
    NULLIF(c.opcnamespace, x.namespace)::regnamespace)::text, NULL
  FROM indexes x JOIN pg_opclass c ON c.oid >= 16384 AND c.oid = ANY (x.indclass)
  UNION ALL
  SELECT x.namespace, ROW('index', x.relname, l.oid, l.collname)::text, NULL
  FROM indexes x JOIN pg_collation l ON l.oid >= 16384 AND l.oid = ANY (x.indcollation)
  UNION ALL
  -- Of an operator class, as it takes them from 13 on.
  SELECT x.namespace, ROW('key', x.relname, a.attnum, a.attoptions)::text, NULL
  FROM indexes x JOIN pg_attribute a ON a.attrelid = x.oid WHERE a.attoptions IS NOT NULL
  UNION ALL
  SELECT x.namespace, ROW('attached', x.relname)::text, p.inhparent::regclass::text
  FROM indexes x JOIN pg_inherits p ON p.inhrelid = x.oid WHERE x.relispartition
  UNION ALL
  SELECT t.namespace, ROW('type', t.typname, t.typtype, t.typnotnull, l.collname, ARRAY(
      SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder))::text,
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END
  FROM own_types t LEFT JOIN pg_collation l ON l.oid = t.typcollation
  UNION ALL
  SELECT t.namespace, ROW('default', t.typname)::text, pg_get_expr(t.typdefaultbin, 0)
  FROM own_types t WHERE t.typdefaultbin IS NOT NULL
  UNION ALL
  SELECT t.namespace, ROW('check', t.typname, k.conname)::text, pg_get_constraintdef(k.oid)
  FROM own_types t JOIN pg_constraint k ON k.conrelid = 0 AND k.contypid = t.oid AND k.contype = 'c'
  UNION ALL
  SELECT n.namespace, ROW('sequence', c.relname, q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmin,
    q.seqmax, q.seqcache, q.seqcycle)::text, NULL
  FROM named n JOIN pg_class c ON c.relname = n.name AND c.relnamespace = n.namespace
  JOIN pg_sequence q ON q.seqrelid = c.oid WHERE n.what = 'sequence'
), managed AS MATERIALIZED (
\ir hashed.sql
)
