"""The catalog: what a schema holds, in PostgreSQL's own canonical words.

One query reads the live schemas and, in the same round trip, the desired one: the models' DDL,
created in `pg_temp` inside a transaction that is always rolled back. Both sides were thus worded
by the same server, and comparing them needs no normaliser of ours.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from converge.server.connection import Connection, begin, rolled_back, rows

# What the managed tables of schema `n` hold, as one JSON document. Schema names are left out of
# every definition, so that the same object reads the same in `pg_temp` and in any live schema.
# Storage parameters and tablespaces are left out because they tune an object without changing
# what it means.
TABLES_DOCUMENT = """
SELECT json_object_agg(c.relname, json_build_object(
  'kind', c.relkind,
  'owner', pg_get_userbyid(c.relowner),
  'comment', obj_description(c.oid, 'pg_class'),
  'referenced_by', (
    SELECT json_agg(f.conname || ' on ' || f.conrelid::regclass ORDER BY f.conname)
    FROM pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f'),
  'columns', (
    SELECT json_object_agg(a.attname, json_build_object(
      'type', format_type(a.atttypid, a.atttypmod) || COALESCE((
        SELECT ' COLLATE ' || quote_ident(l.collname) FROM pg_collation l, pg_type t
        WHERE l.oid = a.attcollation AND t.oid = a.atttypid
          AND t.typcollation <> a.attcollation), ''),
      -- From 18 on a NOT NULL may be NOT VALID: then it says nothing about older rows.
      'not_null', a.attnotnull AND NOT nn.unproven,
      'unproven', a.attnotnull AND nn.unproven,
      'default', CASE
        WHEN a.attidentity <> '' OR EXISTS (
          SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.refobjid
          WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
            AND d.refclassid = 'pg_class'::regclass AND s.relkind = 'S')
        THEN 'nextval()' ELSE pg_get_expr(ad.adbin, ad.adrelid) END,
      'default_sql', pg_get_expr(ad.adbin, ad.adrelid),
      'generated', a.attgenerated <> '',
      'comment', col_description(c.oid, a.attnum),
      -- What ALTER TYPE does not rebuild by itself.
      'used_by', (
        SELECT json_agg(DISTINCT CASE WHEN r.oid IS NULL
          THEN pg_describe_object(d.classid, d.objid, d.objsubid)
          ELSE pg_describe_object('pg_class'::regclass, r.ev_class, 0) END)
        FROM pg_depend d
        LEFT JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
          AND d.refobjsubid = a.attnum AND (
            d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass,
              'pg_proc'::regclass, 'pg_publication_rel'::regclass)
            OR d.classid = 'pg_constraint'::regclass AND EXISTS (
              SELECT FROM pg_constraint f WHERE f.oid = d.objid AND f.contype = 'f')))
      ) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
    CROSS JOIN LATERAL (SELECT EXISTS (
      SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n'
        AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) AS unproven) AS nn
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'constraints', (
    SELECT json_object_agg(k.conname, json_build_object(
      'kind', k.contype,
      'definition', replace(replace(
        regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''),
        ' REFERENCES ' || quote_ident(n.nspname) || '.', ' REFERENCES '),
        ' REFERENCES pg_temp.', ' REFERENCES '),
      'columns', (
        SELECT json_agg(a.attname ORDER BY p) FROM unnest(k.conkey) WITH ORDINALITY u (num, p)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num),
      'target', (SELECT f.relname FROM pg_class f WHERE f.oid = k.confrelid),
      'target_columns', (
        SELECT json_agg(a.attname ORDER BY p) FROM unnest(k.confkey) WITH ORDINALITY u (num, p)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num),
      'used_by', (
        SELECT json_agg(DISTINCT pg_describe_object('pg_class'::regclass, r.ev_class, 0))
        FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_constraint'::regclass
          AND d.refobjid = k.oid),
      'valid', k.convalidated AND COALESCE(i.indisvalid AND i.indisready, true)
      ) ORDER BY k.conname)
    FROM pg_constraint k LEFT JOIN pg_index i
      ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
    WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f', 'x')),
  'indexes', (
    SELECT json_object_agg(x.relname, json_build_object(
      'definition',
        CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || m.amname || ' (' || (
          SELECT string_agg(
            pg_get_indexdef(i.indexrelid, p, false)
            || CASE WHEN p > i.indnkeyatts THEN '' ELSE
                 COALESCE((SELECT ' COLLATE ' || quote_ident(l.collname) FROM pg_collation l
                           WHERE l.oid = i.indcollation[p - 1] AND l.collname <> 'default'), '')
                 || COALESCE((SELECT CASE WHEN s.nspname = 'pg_catalog' THEN ' '
                                  ELSE ' ' || quote_ident(s.nspname) || '.' END
                                  || quote_ident(o.opcname)
                              FROM pg_opclass o JOIN pg_namespace s ON s.oid = o.opcnamespace
                              WHERE o.oid = i.indclass[p - 1] AND NOT o.opcdefault), '')
                 || CASE i.indoption[p - 1] WHEN 1 THEN ' DESC NULLS LAST'
                      WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' ELSE '' END END,
            CASE WHEN p = i.indnkeyatts + 1 THEN ') INCLUDE (' ELSE ', ' END ORDER BY p)
          FROM generate_series(1, i.indnatts) p) || ')'
        || CASE WHEN to_jsonb(i) ->> 'indnullsnotdistinct' = 'true'
             THEN ' NULLS NOT DISTINCT' ELSE '' END
        || COALESCE(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), ''),
      'columns', (
        SELECT json_agg(a.attname ORDER BY p) FROM generate_series(1, i.indnkeyatts) p
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[p - 1]),
      'predicate', pg_get_expr(i.indpred, i.indrelid),
      'used_by', (
        SELECT json_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid))
        FROM pg_depend d
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = x.oid
          AND d.classid = 'pg_constraint'::regclass),
      'valid', i.indisvalid AND i.indisready AND i.indislive
      ) ORDER BY x.relname)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = c.oid AND NOT EXISTS (
      SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
        AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')))
  ) ORDER BY c.relname)
FROM pg_class c
WHERE c.relnamespace = n.oid AND c.relname = ANY (%(tables)s)
  AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
"""

# Anything that happens to a managed table changes the schema's fingerprint, whoever asks for it.
FINGERPRINT = "encode(sha256(convert_to(COALESCE(t.document::text, ''), 'UTF8')), 'hex')"

CATALOG_QUERY = f"""
SELECT json_build_object(
  'name', CASE WHEN n.oid = pg_my_temp_schema() THEN '' ELSE n.nspname END,
  'can_create', has_schema_privilege(n.oid, 'CREATE'),
  'relations', (
    SELECT json_object_agg(name, kind) FROM (
      SELECT c.relname AS name, c.relkind::text AS kind FROM pg_class c
      WHERE c.relnamespace = n.oid AND (c.relname = ANY (%(names)s)
        OR NOT c.relispartition AND c.relkind IN ('r', 'p', 'f', 'v', 'm'))
      UNION ALL  -- A table is a type too, so no other type may have its name.
      SELECT t.typname, 'c' FROM pg_type t
      WHERE t.typnamespace = n.oid AND t.typrelid = 0 AND t.typname = ANY (%(tables)s)) r),
  'foreign', (
    SELECT json_agg(c.relname) FROM pg_class c
    WHERE c.relnamespace = n.oid AND c.relname = ANY (%(names)s)
      AND NOT pg_has_role(c.relowner, 'USAGE')),
  'tables', t.document,
  'fingerprint', {FINGERPRINT})
FROM pg_namespace n, LATERAL (SELECT ({TABLES_DOCUMENT}) AS document) t
WHERE n.nspname = ANY (%(schemas)s) OR n.oid = pg_my_temp_schema()
"""


class Column(NamedTuple):
    """One column. `default` is `nextval()` for everything that draws from a sequence."""

    type: str
    not_null: bool
    default: Optional[str] = None
    default_sql: Optional[str] = None
    generated: bool = False
    comment: Optional[str] = None
    used_by: Optional[List[str]] = None  # views, triggers, policies, foreign keys…
    unproven: bool = False  # NOT NULL, but for new rows only


class Constraint(NamedTuple):
    """A key, unique, check, foreign key or exclusion constraint (`kind` as in `pg_constraint`)."""

    kind: str
    definition: str
    columns: Optional[List[str]] = None
    target: Optional[str] = None
    target_columns: Optional[List[str]] = None
    valid: bool = True
    used_by: Optional[List[str]] = None  # views that group by the key


class Index(NamedTuple):
    """An index that no constraint owns. `definition` is what stands behind `USING`."""

    definition: str
    valid: bool = True
    columns: Optional[List[str]] = None  # those of the key that are columns, not expressions
    predicate: Optional[str] = None
    used_by: Optional[List[str]] = None  # foreign keys that rely on a unique one

    @property
    def unique(self) -> bool:
        return self.definition.startswith("UNIQUE ")

    @property
    def using(self) -> str:
        return self.definition[len("UNIQUE ") :] if self.unique else self.definition


class Table(NamedTuple):
    """A table, or whatever else has its name (`kind` as in `pg_class.relkind`)."""

    columns: Dict[str, Column]
    constraints: Dict[str, Constraint]
    indexes: Dict[str, Index]
    kind: str = "r"
    owned: bool = True
    owner: str = ""
    comment: Optional[str] = None
    referenced_by: Optional[List[str]] = None

    @property
    def primary_key(self) -> Tuple[Optional[str], Optional[Constraint]]:
        """Name and constraint, or (None, None)."""
        found = [item for item in self.constraints.items() if item[1].kind == "p"]
        return found[0] if found else (None, None)


class Schema(NamedTuple):
    """The managed tables of a schema, and the kind of every relation that could be in the way."""

    tables: Dict[str, Table]
    relations: Dict[str, str]
    can_create: bool = True
    fingerprint: str = ""
    foreign: Sequence[str] = ()  # relations that belong to a role that is not ours


class Catalog(NamedTuple):
    """`live` holds the schemas that exist, by name."""

    live: Dict[str, Schema]
    desired: Schema


def read(
    connection: Connection,
    *,
    schemas: Sequence[str],
    tables: Sequence[str],
    names: Sequence[str],
    desired_ddl: Sequence[str],
) -> Catalog:
    """Read the live schemas and the desired one, in two round trips; nothing stays behind.

    `tables` are read in full, of `names` only whether something has them. `desired_ddl` creates
    the tables in `pg_temp`: it is run in a transaction that is rolled back in every case.
    """
    values = {"schemas": list(schemas), "tables": list(tables), "names": list(names)}
    with connection.cursor() as cursor:
        query = cursor.mogrify(CATALOG_QUERY, values).decode()
    with rolled_back(connection):
        # With an empty search path the server qualifies whatever is not its own.
        found = rows(
            connection,
            begin(connection) + ";\n".join([*desired_ddl, "SET LOCAL search_path = ''", query]),
        )
    by_name = {row[0]["name"]: _schema(row[0]) for row in found}
    return Catalog(desired=by_name.pop(""), live=by_name)


def _schema(document: Dict[str, Any]) -> Schema:
    foreign = document["foreign"] or []
    tables = {
        name: _table(value, owned=name not in foreign)
        for name, value in (document["tables"] or {}).items()
    }
    relations, can_create = document["relations"] or {}, document["can_create"]
    return Schema(tables, relations, can_create, document["fingerprint"], foreign)


def _table(document: Dict[str, Any], *, owned: bool) -> Table:
    parts = {**document, "owned": owned}
    for key, kind in (("columns", Column), ("constraints", Constraint), ("indexes", Index)):
        parts[key] = {name: kind(**value) for name, value in (document[key] or {}).items()}
    return Table(**parts)
