"""All that a schema holds, in the server's words, to be compared with another schema."""

from typing import Any, List, Tuple

from tests.support.database import Database

STRUCTURE = """
SELECT 'table', c.relname::text, c.relkind::text, c.relpersistence::text, c.reloptions::text,
  obj_description(c.oid, 'pg_class')
FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND c.relnamespace = '{schema}'::regnamespace AND c.relname <> 'eater_schema_history'
UNION ALL
SELECT 'column', concat_ws(' ', c.relname, a.attnum, a.attname),
  concat_ws(' ', format_type(a.atttypid, a.atttypmod), (
    SELECT collname FROM pg_collation WHERE oid = a.attcollation)),
  concat_ws(' ', a.attnotnull, a.attidentity, a.attgenerated),
  pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND c.relnamespace = '{schema}'::regnamespace
  AND c.relname <> 'eater_schema_history'
UNION ALL
SELECT 'constraint', concat_ws(' ', r.conrelid::regclass, r.conname), pg_get_constraintdef(r.oid),
  r.convalidated::text, '', obj_description(r.oid, 'pg_constraint')
FROM pg_constraint r WHERE r.connamespace = '{schema}'::regnamespace
  AND r.conrelid <> COALESCE(to_regclass('{schema}.eater_schema_history'), 0)
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),
  concat_ws(' ', i.indisvalid, i.indisunique, i.indisprimary), '', ''
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = '{schema}'::regnamespace AND c.relname <> 'eater_schema_history'
UNION ALL
SELECT 'enum', t.typname::text, string_agg(e.enumlabel, '|' ORDER BY e.enumsortorder), '', '', ''
FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
WHERE t.typnamespace = '{schema}'::regnamespace GROUP BY t.typname
UNION ALL
SELECT 'sequence', q.seqrelid::regclass::text, row(q.seqtypid, q.seqstart, q.seqincrement,
    q.seqmin, q.seqmax, q.seqcache, q.seqcycle)::text,
  concat_ws(' ', d.deptype, d.refobjid::regclass, d.refobjsubid), '', ''
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
  AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
WHERE c.relnamespace = '{schema}'::regnamespace
ORDER BY 1, 2
"""


def structure(database: Database, schema: str) -> List[Tuple[Any, ...]]:
    """Return what a schema of a plain name holds, without that name; the history left out."""
    database.execute("SET search_path = ''")
    found = database.rows(STRUCTURE.format(schema=schema))
    database.execute("RESET search_path")
    return [
        tuple(part.replace(f"{schema}.", "") if isinstance(part, str) else part for part in row)
        for row in found
    ]
