"""SQL text: the quoting of every name and literal. Nothing elsewhere quotes."""

import re

# All key words but the unreserved ones, as `quote_ident()` quotes them on any server from 12 to 18:
# SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'
# https://www.postgresql.org/docs/current/sql-keywords-appendix.html
RESERVED_WORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
    boolean both case cast char character check coalesce collate collation column concurrently
    constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user dec decimal default deferrable desc distinct do
    else end except exists extract false fetch float for foreign freeze from full grant greatest
    group grouping having ilike in initially inner inout int integer intersect interval into is
    isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit
    localtime localtimestamp merge_action national natural nchar none normalize not notnull null
    nullif numeric offset on only or order out outer overlaps overlay placing position precision
    primary real references returning right row select session_user setof similar smallint some
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim
    true union unique user using values varchar variadic verbose when where window with
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split()  # noqa: SIM905 - a list of 164 lines reads worse
)
TOKEN = re.compile(
    r"""(?<![\w$])[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL
)
PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z", re.ASCII)


def identifier(name: str) -> str:
    """Quote a name where PostgreSQL wants it: `weight`, `"user"`, `"Sales 2025"`."""
    if PLAIN.match(name) and name not in RESERVED_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """Quote `schema.name`."""
    return f"{identifier(schema)}.{identifier(name)}"


def literal(text: str) -> str:
    """Quote a text so that it reads the same whatever standard_conforming_strings is.

    For statements that are sent without parameters: a `%` stays as it is.
    """
    escape = "E" if "\\" in text else ""
    return escape + "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def typed(sql: str) -> str:
    """Return SQL that says the same in letters that can be seen, as `U&'1\\+0000A0kg'`.

    What is printed has others in place of those that can't (`converge.text.visible`).
    https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-UESCAPE
    """
    return TOKEN.sub(lambda found: _typed(found[0]), sql)


def _typed(token: str) -> str:
    if all(map(_is_seen, token)):
        return token
    if token[0] in "Ee":
        return "".join(c if _is_seen(c) else f"\\U{ord(c):08X}" for c in token)
    token = token.replace("\\", "\\\\")
    return "U&" + "".join(c if _is_seen(c) else f"\\+{ord(c):06X}" for c in token)


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in "\n\t"
