-- What is `asked` of each schema (tables, own types, sequences), as one JSON document: a part of
-- catalog.sql and of look.sql. What is in pg_temp reads without a schema, all else with one.
SELECT n.oid AS namespace, json_build_object('tables', (
SELECT json_object_agg(c.relname, json_build_object(
  'kind', c.relkind,
  'persistence', c.relpersistence,
  'options', array_to_json(c.reloptions),
  'method', (SELECT amname FROM pg_am WHERE oid = c.relam),
  'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace),
  'partition_by', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
  'owner', pg_get_userbyid(c.relowner),
  'comment', obj_description(c.oid, 'pg_class'),
  'replica_identity', c.relreplident,
  -- Those that would refuse an UPDATE or DELETE of a row that nothing identifies.
  'publications', (
    SELECT json_agg(json_build_object(
      'name', p.pubname,
      'updates', p.pubupdate,
      'deletes', p.pubdelete,
      'relation', r.prrelid::regclass::text,
      -- From 15 on.
      'columns', (
        SELECT json_agg(a.attname ORDER BY a.attnum)
        FROM jsonb_array_elements_text(NULLIF(to_jsonb(r) -> 'prattrs', 'null')) u (num)
        JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = u.num::smallint),
      'filtered_by', (
        SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = r.prrelid AND a.attnum IN (
          SELECT found[1]::smallint
          FROM regexp_matches(to_jsonb(r) ->> 'prqual', 'varattno (\d+)', 'g') AS found))
      ) ORDER BY p.pubname, r.prrelid)
    FROM (SELECT ARRAY(
      SELECT c.oid UNION SELECT relid FROM pg_partition_ancestors(c.oid)) AS oids) t
    JOIN pg_publication p ON p.oid = ANY (ARRAY(SELECT oid FROM pg_publication WHERE puballtables)
      || ARRAY(SELECT prpubid FROM pg_publication_rel WHERE prrelid = ANY (t.oids))
      || ARRAY(SELECT d.refobjid FROM pg_depend s JOIN pg_depend d
          ON d.classid = s.classid AND d.objid = s.objid AND d.refclassid = 'pg_publication'::regclass
        WHERE s.refclassid = 'pg_namespace'::regclass AND s.refobjid = c.relnamespace
          AND s.classid = to_regclass('pg_catalog.pg_publication_namespace')))
    LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = ANY (t.oids)
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'),
  'referenced_by', (
    SELECT json_agg(json_build_object(
      'name', f.conname, 'relation', f.conrelid::regclass::text,
      'sql', pg_get_constraintdef(f.oid), 'key', x.relname) ORDER BY f.conname, f.conrelid::regclass::text)
    -- There is no index by what a foreign key refers to; on the columns it depends.
    FROM pg_depend d JOIN pg_constraint f ON f.oid = d.objid AND f.confkey[1] = d.refobjsubid
    JOIN pg_class x ON x.oid = f.conindid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
      AND d.classid = 'pg_constraint'::regclass AND d.deptype = 'n'
      AND f.confrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0),
  'shape', json_build_object(
    'attributes', c.relnatts,
    'of_type', (SELECT format_type(c.reloftype, NULL) WHERE c.reloftype <> 0),
    'partition_of', CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::regclass::text END,
    'parents', (
      SELECT json_agg(p.inhparent::regclass::text ORDER BY p.inhseqno)
      FROM pg_inherits p WHERE p.inhrelid = c.oid),
    -- The relations that hold its rows, if that is not only itself; by kind as in `pg_class`.
    'parts', CASE WHEN EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) THEN (
      WITH RECURSIVE parts AS (
        SELECT c.oid, c.relkind UNION
        SELECT r.oid, r.relkind FROM parts a JOIN pg_inherits p ON p.inhparent = a.oid
        JOIN pg_class r ON r.oid = p.inhrelid)
      SELECT json_object_agg(a.oid::regclass::text, a.relkind ORDER BY a.oid::regclass::text)
      FROM parts a WHERE a.relkind <> 'p') END,
    -- The columns of a partition key, those in expressions too, depend on the whole table.
    'partition_key', (
      SELECT json_agg(DISTINCT a.attname) FROM pg_depend d JOIN pg_attribute a
        ON a.attrelid = d.objid AND a.attnum = d.objsubid
      WHERE c.relkind = 'p' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = 0
        AND d.deptype = 'i'),
    -- The columns whose type is its row type, in whatever wrapping: what the server calls
    -- "uses its row type". https://www.postgresql.org/docs/current/rowtypes.html
    'row_type_in', (
      WITH RECURSIVE uses AS (
        SELECT c.reltype AS type, NULL::oid AS relation, 0 AS attribute, 'c'::"char" AS kind UNION
        SELECT CASE WHEN d.classid = 'pg_type'::regclass THEN d.objid
                    WHEN r.relkind IN ('c', 'v') THEN r.reltype END, r.oid, d.objsubid, r.relkind
        FROM uses u JOIN pg_depend d
          ON d.refclassid = 'pg_type'::regclass AND d.refobjid = u.type
        LEFT JOIN pg_class r ON d.classid = 'pg_class'::regclass AND r.oid = d.objid)
      SELECT json_agg(json_build_array(u.relation::regclass::text, a.attname)
        ORDER BY u.relation::regclass::text, a.attname)
      FROM uses u JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.attribute
      WHERE u.kind IN ('r', 'm', 'p') AND u.attribute > 0),
    'rules', (
      SELECT json_agg(quote_ident(w.rulename) ORDER BY w.rulename) FROM pg_rewrite w
      WHERE w.ev_class = c.oid AND w.ev_type = '2' AND w.is_instead AND w.ev_enabled <> 'D'),
    'triggers', (
      SELECT json_agg(quote_ident(g.tgname) ORDER BY g.tgname) FROM pg_trigger g
      WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
        AND g.tgtype & 16 <> 0)),  -- TRIGGER_TYPE_UPDATE
  'columns', (
    SELECT json_object_agg(a.attname, json_build_object(
      'type', format_type(a.atttypid, a.atttypmod) || COALESCE((
        SELECT ' COLLATE ' || quote_ident(l.collname) FROM pg_collation l, pg_type t
        WHERE l.oid = a.attcollation AND t.oid = a.atttypid
          AND t.typcollation <> a.attcollation), ''),
      -- From 18 on a NOT NULL may be NOT VALID: then it says nothing about existing rows.
      'not_null', a.attnotnull AND NOT nn.unproven,
      'unproven', a.attnotnull AND nn.unproven,
      'own_not_null', nn.own,
      'not_null_name', nn.name,
      'default', CASE WHEN a.attidentity <> '' OR numbers.oid IS NOT NULL
        THEN 'nextval()' ELSE pg_get_expr(ad.adbin, ad.adrelid) END,
      'sequence', (
\ir sequence.sql
        WHERE s.oid = numbers.oid),
      'default_sql', pg_get_expr(ad.adbin, ad.adrelid),
      'generated', a.attgenerated,
      'identity', a.attidentity,
      'inherited', a.attinhcount > 0,
      'comment', col_description(c.oid, a.attnum),
      -- What ALTER TYPE does not rebuild by itself. Other than of pg_describe_object, the words of
      -- pg_identify_object are never translated: they are the same in every language.
      'used_by', (
        SELECT json_agg(DISTINCT jsonb_build_object(
          'foreign_key', d.key,
          'description', (SELECT type || ' ' || identity FROM pg_identify_object(
            CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
            COALESCE(r.ev_class, d.objid),
            CASE WHEN r.oid IS NULL THEN d.objsubid ELSE 0 END)) || d.how))
        FROM (
          SELECT d.*, d.classid = 'pg_constraint'::regclass AS key, '' AS how FROM pg_depend d
          WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
            AND d.refobjsubid = a.attnum
            AND d.classid NOT IN ('pg_class'::regclass, 'pg_attrdef'::regclass,
              'pg_statistic_ext'::regclass)
            AND (d.classid <> 'pg_constraint'::regclass OR EXISTS (
              SELECT FROM pg_constraint f WHERE f.oid = d.objid AND f.contype = 'f'))
          UNION ALL
          -- What relies on an index that includes the column, which is to be dropped for it.
          SELECT d.*, false, ' (with a key that includes it)' FROM pg_index i
          LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.conindid = i.indexrelid
            AND k.contype IN ('p', 'u')
          CROSS JOIN LATERAL (VALUES ('pg_class'::regclass, i.indexrelid),
            ('pg_constraint'::regclass, k.oid)) AS relied_on (class, oid)
          JOIN pg_depend d ON d.refclassid = relied_on.class AND d.refobjid = relied_on.oid
            AND d.deptype = 'n'
          WHERE i.indrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[i.indnkeyatts:])) d
        LEFT JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass)
      ) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
    CROSS JOIN LATERAL (
      SELECT COALESCE(bool_or(NOT k.convalidated), false) AS unproven,
        min(k.conname) FILTER (WHERE k.connoinherit) AS own, min(k.conname) AS name
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n'
        AND k.conkey = ARRAY[a.attnum]) AS nn
    CROSS JOIN LATERAL (SELECT min(d.oid) AS oid FROM (
      SELECT d.refobjid AS oid FROM pg_depend d JOIN pg_class s ON s.oid = d.refobjid
      WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
        AND d.refclassid = 'pg_class'::regclass AND s.relkind = 'S'
        -- And does nothing else with what it draws.
        AND pg_get_expr(ad.adbin, ad.adrelid) ~ '^nextval[(]''([^'']|'''')*''::regclass[)]$'
      UNION ALL  -- of an identity column
      SELECT d.objid FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i') d) AS numbers
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'constraints', (
    SELECT json_object_agg(k.conname, json_build_object(
      'kind', k.contype,
      -- To compare, and to show.
      'definition', replace(replace(
        regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''),
        ' REFERENCES ' || quote_ident(n.nspname) || '.', ' REFERENCES '),
        ' REFERENCES pg_temp.', ' REFERENCES '),
      -- To put it back as it was, where it is live: with the schema of what it refers to.
      'sql', regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''),
      'expression', pg_get_expr(k.conbin, k.conrelid),
      'deferrable', k.condeferrable,
      'deferred', k.condeferred,
      'columns', (
        SELECT json_agg(a.attname ORDER BY p) FROM unnest(k.conkey) WITH ORDINALITY u (num, p)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num),
      'target', (SELECT f.relname FROM pg_class f WHERE f.oid = k.confrelid),
      'target_columns', (
        SELECT json_agg(a.attname ORDER BY p) FROM unnest(k.confkey) WITH ORDINALITY u (num, p)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num),
      'on_update', NULLIF(k.confupdtype::text, ' '),
      'on_delete', NULLIF(k.confdeltype::text, ' '),
      'match', NULLIF(k.confmatchtype::text, ' '),
      'operators', (
        SELECT json_agg(format('OPERATOR(%I.%s)', s.nspname, o.oprname) ORDER BY p)
        FROM unnest(k.conexclop) WITH ORDINALITY u (operator, p)
        JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace s ON s.oid = o.oprnamespace),
      'inherited', k.coninhcount > 0,
      'comment', obj_description(k.oid, 'pg_constraint'),
      -- In the order in which the models' DDL says them.
      'place', CASE WHEN n.oid = pg_my_temp_schema() THEN k.oid::bigint END,
      'used_by', (
        SELECT json_agg(DISTINCT (SELECT type || ' ' || identity FROM pg_identify_object(
          CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
          COALESCE(r.ev_class, d.objid), CASE WHEN r.oid IS NULL THEN d.objsubid ELSE 0 END)))
        FROM pg_depend d
        LEFT JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        WHERE d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid
          AND d.deptype = 'n'),
      'valid', k.convalidated AND COALESCE(i.indisvalid AND i.indisready, true)
      ) ORDER BY k.conname)
    FROM pg_constraint k LEFT JOIN pg_index i
      ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
    WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f', 'x')),
  'indexes', (
    SELECT json_object_agg(x.relname, json_build_object(
      'unique', i.indisunique,
      'using', m.amname || ' (' || (
          SELECT string_agg(
            pg_get_indexdef(i.indexrelid, p, false)
            || CASE WHEN p > i.indnkeyatts THEN '' ELSE
                 COALESCE((SELECT ' COLLATE ' || quote_ident(l.collname) FROM pg_collation l
                           WHERE l.oid = i.indcollation[p - 1] AND l.collname <> 'default'), '')
                 || COALESCE((SELECT CASE WHEN s.nspname = 'pg_catalog' THEN ' '
                                  ELSE ' ' || quote_ident(s.nspname) || '.' END
                                  || quote_ident(o.opcname)
                              FROM pg_opclass o JOIN pg_namespace s ON s.oid = o.opcnamespace
                              WHERE o.oid = i.indclass[p - 1]
                                AND NOT (o.opcdefault AND w.parameters IS NULL)), '')
                 || COALESCE(' (' || w.parameters || ')', '')
                 || CASE i.indoption[p - 1] WHEN 1 THEN ' DESC NULLS LAST'
                      WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' ELSE '' END END,
            CASE WHEN p = i.indnkeyatts + 1 THEN ') INCLUDE (' ELSE ', ' END ORDER BY p)
          FROM generate_series(1, i.indnatts) p
          -- Of an operator class, as it takes them from 13 on.
          LEFT JOIN LATERAL (
            SELECT string_agg(value, ', ') AS parameters
            FROM pg_attribute f, jsonb_array_elements_text(NULLIF(to_jsonb(f) -> 'attoptions', 'null'))
            WHERE f.attrelid = x.oid AND f.attnum = p) w ON true) || ')'
        || CASE WHEN to_jsonb(i) ->> 'indnullsnotdistinct' = 'true'
             THEN ' NULLS NOT DISTINCT' ELSE '' END
        || COALESCE(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), ''),
      'columns', (
        SELECT json_agg(a.attname ORDER BY p) FROM generate_series(1, i.indnkeyatts) p
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[p - 1]),
      'keys', (
        SELECT json_agg(pg_get_indexdef(i.indexrelid, p, false) ORDER BY p)
        FROM generate_series(1, i.indnkeyatts) p),
      'nulls_equal', COALESCE(to_jsonb(i) ->> 'indnullsnotdistinct' = 'true', false),
      'predicate', pg_get_expr(i.indpred, i.indrelid),
      'attached', (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = x.oid),
      'expressions', i.indexprs IS NOT NULL,
      'identity', i.indisreplident,
      'clustered', i.indisclustered,
      'options', array_to_json(x.reloptions),
      'comment', obj_description(x.oid, 'pg_class'),
      'constraint', (
        SELECT k.conname FROM pg_constraint k WHERE k.conindid = i.indexrelid
          AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')),
      'used_by', (
        SELECT json_agg(DISTINCT (SELECT type || ' ' || identity
          FROM pg_identify_object(d.classid, d.objid, d.objsubid)))
        FROM pg_depend d
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = x.oid
          AND d.classid = 'pg_constraint'::regclass),
      'valid', i.indisvalid AND i.indisready AND i.indislive
      ) ORDER BY x.relname)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = c.oid)
  ) ORDER BY c.relname)
FROM pg_class c
WHERE c.relnamespace = n.oid AND c.relname = ANY (n.tables)
  AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
), 'types', (
SELECT json_object_agg(t.typname, json_build_object(
  'kind', t.typtype,
  'labels', (
    SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
  'base', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) || COALESCE((
    SELECT ' COLLATE ' || quote_ident(l.collname) FROM pg_collation l, pg_type b
    WHERE l.oid = t.typcollation AND b.oid = t.typbasetype
      AND b.typcollation <> t.typcollation), '') END,
  'not_null', t.typnotnull,
  'default', pg_get_expr(t.typdefaultbin, 0),
  'checks', (
    SELECT json_object_agg(k.conname, pg_get_constraintdef(k.oid) ORDER BY k.conname)
    FROM pg_constraint k WHERE k.conrelid = 0 AND k.contypid = t.oid AND k.contype = 'c')
  ) ORDER BY t.typname)
FROM pg_type t
WHERE t.typnamespace = n.oid AND t.typname = ANY (n.types) AND t.typtype IN ('e', 'd')
), 'sequences', (
SELECT json_object_agg(s.relname, json_build_object(
  'type', format_type(q.seqtypid, NULL),
  'start', q.seqstart,
  'increment', q.seqincrement,
  'minimum', q.seqmin,
  'maximum', q.seqmax,
  'cache', q.seqcache,
  'cycle', q.seqcycle
  ) ORDER BY s.relname)
FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid
WHERE s.relnamespace = n.oid AND s.relname = ANY (n.sequences)
)) AS document
FROM asked n
