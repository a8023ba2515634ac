"""Which schemas a run is for, and which part of them, as the settings may say it."""

from pathlib import Path
from typing import Any, Dict

import pytest

from converge.settings.schemas import Entry
from converge.settings.shard import Shard
from converge.settings.variables import Settings
from tests.support.settings import complaint, loaded

LINE = "must be one line; a file or a secret often ends with a line break"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("public", ("public",)),
        ("a,b , c", ("a", "b", "c")),
        ("Sales,sales", ("Sales", "sales")),
        ('"a,b"', ("a,b",)),
        ('"we,ird ""x""", plain', ('we,ird "x"', "plain")),
        ('" leading"', (" leading",)),
        ("größe,日本", ("größe", "日本")),
        ("a" * 63, ("a" * 63,)),
        ("pg,pgx,information_schema2", ("pg", "pgx", "information_schema2")),
        ("$user", ("$user",)),
    ],
)
def test_schemas_are_taken_literally(text: str, names: Any) -> None:
    """No folding; double quotes as in SQL hold what a list cannot."""
    assert loaded(POSTGRES_SCHEMAS=text).schemas == names


EMPTY = "an empty name is not allowed; check for an extra comma"
LIST = (
    "must be names separated by commas; "
    "one that holds commas, quotes or blanks goes in double quotes, as in SQL"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (",", EMPTY),
        ("a,", EMPTY),
        ("a,,b", EMPTY),
        ('""', EMPTY),
        ("a b", LIST),
        ('"a', LIST),
        ('"a"b', LIST),
        ('a"b', LIST),
        ("a\tb", r"must not hold '\t', which nobody sees"),
        ("a,b,a", "the name 'a' is listed twice"),
        ('a,"a"', "the name 'a' is listed twice"),
        ("ü" * 32, f"the name {'ü' * 32!r} is longer than 63 bytes"),
        ("pg_temp", "the name 'pg_temp' is reserved by PostgreSQL"),
        ("information_schema", "the name 'information_schema' is reserved by PostgreSQL"),
        ("a\nb", LINE),
    ],
)
def test_a_wrong_list_of_schemas_is_refused(text: str, reason: str) -> None:
    """Each way to get it wrong has its own reason."""
    assert complaint(POSTGRES_SCHEMAS=text) == f"POSTGRES_SCHEMAS={text!r}: {reason}"


PATTERNS: Dict[str, Any] = {
    "tenant_*": [Entry("tenant_*", pattern=True)],
    "canary,t?,*": [Entry("canary"), Entry("t?", pattern=True), Entry("*", pattern=True)],
    '"t*", t*': [Entry("t*"), Entry("t*", pattern=True)],
    "t_%": [Entry("t_%")],
}


@pytest.mark.parametrize("text", list(PATTERNS))
def test_a_star_makes_a_pattern(text: str) -> None:
    """In double quotes it is a letter; which names are known without a server is said too."""
    settings = loaded(POSTGRES_SCHEMAS=text)
    assert list(settings.source.entries) == PATTERNS[text]
    assert settings.schemas == tuple(e.text for e in PATTERNS[text] if not e.pattern)


def test_a_pattern_of_the_systems_schemas_is_a_mistake() -> None:
    """None would ever match."""
    assert complaint(POSTGRES_SCHEMAS="pg_*") == (
        "POSTGRES_SCHEMAS='pg_*': the name 'pg_*' is reserved by PostgreSQL"
    )


def of_file(path: Path, content: bytes) -> Settings:
    path.write_bytes(content)
    return loaded(POSTGRES_SCHEMAS_FILE=str(path))


FILES: Dict[bytes, Any] = {
    b"b\na\n": ("b", "a"),
    b"\xef\xbb\xbfa\r\nb\r\n\r\n": ("a", "b"),
    b"# tenants\n\n  a\t\n #b\nc": ("a", "c"),
    b"a\nb\na\n": ("a", "b"),
    b"tenant_*\nx\"; DROP SCHEMA public; --\n'%s'\na,b\na#b\n": (
        "tenant_*",
        'x"; DROP SCHEMA public; --',
        "'%s'",
        "a,b",
        "a#b",
    ),
    "größe\n日本\n".encode(): ("größe", "日本"),
}


@pytest.mark.parametrize("content", list(FILES))
def test_a_file_has_a_name_a_line(tmp_path: Path, content: bytes) -> None:
    """Taken literally, each once, in the order of first mention; a comment names none."""
    assert of_file(tmp_path / "schemas", content).schemas == FILES[content]


WRONG_FILES: Dict[bytes, str] = {
    b"": "the file names no schema",
    b"# a\n\n": "the file names no schema",
    b"a\n\npg_toast\n": "line 3: the name 'pg_toast' is reserved by PostgreSQL",
    b"information_schema": "line 1: the name 'information_schema' is reserved by PostgreSQL",
    b"a\0b": r"line 1: the name 'a\x00b' holds a NUL byte, which no name can",
    b"a" * 64: f"line 1: the name {'a' * 60!r}... (64 characters) is longer than 63 bytes",
    b"a\xff": "the file is not UTF-8",
    b"a\n" * 8_388_609: "the file is larger than 16 MiB, which no list of schemas is",
}


@pytest.mark.parametrize("content", list(WRONG_FILES), ids=range(len(WRONG_FILES)))
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """The message names the variable, the path and the line."""
    path = tmp_path / "schemas"
    path.write_bytes(content)
    message = complaint(POSTGRES_SCHEMAS_FILE=str(path))
    assert message.startswith("POSTGRES_SCHEMAS_FILE='")
    assert message.endswith(f": {WRONG_FILES[content]}")


def test_a_file_that_is_not_there_is_named() -> None:
    """A volume that was not mounted."""
    assert complaint(POSTGRES_SCHEMAS_FILE="/no/schemas") == (
        "POSTGRES_SCHEMAS_FILE='/no/schemas': the file cannot be read: No such file or directory"
    )


def test_ten_thousand_names_are_read_at_once(tmp_path: Path) -> None:
    """In no time that grows with their square."""
    names = [f"tenant_{number:05}" for number in range(10_000)]
    settings = of_file(tmp_path / "schemas", "\n".join(names).encode())
    assert list(settings.schemas) == names
    assert len(loaded(POSTGRES_SCHEMAS=",".join(names)).schemas) == 10_000


def test_a_query_is_kept_as_it_is() -> None:
    """But for what ends it; its names are not known yet."""
    settings = loaded(POSTGRES_SCHEMAS_QUERY="\n  SELECT 'a''\t%s' ; ;\n")
    assert settings.source.query == "SELECT 'a''\t%s'"
    assert settings.schemas == ()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("  ", "must not be blank"),
        (" ;", "must not be blank"),
        (
            "SELECT 'hunter2'; COMMIT; DROP TABLE tenants",
            "must be one SELECT, so no `;` may be in it; in a literal it is chr(59)",
        ),
    ],
)
def test_a_wrong_query_is_refused_unseen(query: str, reason: str) -> None:
    """It may hold a password."""
    assert complaint(POSTGRES_SCHEMAS_QUERY=query) == (
        f"POSTGRES_SCHEMAS_QUERY (its value is not shown): {reason}"
    )


def test_schemas_are_named_in_one_way(tmp_path: Path) -> None:
    """The default is none: it counts only where nothing is given."""
    (tmp_path / "schemas").write_text("a\n", "utf-8")
    query, file = {"POSTGRES_SCHEMAS_QUERY": "SELECT 'a'"}, str(tmp_path / "schemas")
    assert complaint(POSTGRES_SCHEMAS_FILE=file, **query) == (
        "POSTGRES_SCHEMAS_QUERY and POSTGRES_SCHEMAS_FILE are both given: keep one of them"
    )
    assert complaint(POSTGRES_SCHEMAS="public", **query) == (
        "POSTGRES_SCHEMAS and POSTGRES_SCHEMAS_QUERY are both given: keep one of them"
    )
    assert complaint(POSTGRES_SCHEMAS="a", POSTGRES_SCHEMAS_FILE=file, **query) == (
        "POSTGRES_SCHEMAS, POSTGRES_SCHEMAS_QUERY and POSTGRES_SCHEMAS_FILE are all given: "
        "keep one of them"
    )
    assert loaded(POSTGRES_SCHEMAS="", POSTGRES_SCHEMAS_FILE=file).schemas == ("a",)


SHARDS: Dict[str, Any] = {
    "SHARD=3/8": Shard(3, 8),
    "SHARD=08/8": Shard(8, 8),
    "SHARD=1/1": Shard(1, 1),
    "SHARDS=8 JOB_COMPLETION_INDEX=0": Shard(1, 8),
    "SHARDS=8 JOB_COMPLETION_INDEX=7": Shard(8, 8),
    "SHARD=2/3 JOB_COMPLETION_INDEX=7": Shard(2, 3),
    "JOB_COMPLETION_INDEX=7": None,
    "JOB_COMPLETION_INDEX=another's": None,
}


def given(line: str) -> Dict[str, str]:
    """Return variables by name: `A=1 B=2`."""
    return dict(part.split("=") for part in line.split())


@pytest.mark.parametrize("line", list(SHARDS))
def test_a_run_has_a_part_of_the_schemas(line: str) -> None:
    """Said, or a pod's of an Indexed Job, which counts from 0; any such Job has a number."""
    assert loaded(**given(line)).shard == SHARDS[line]


def test_what_is_said_wins_over_the_job() -> None:
    """And that something is not read is said."""
    settings = loaded(SHARD="3/8", SHARDS="4", JOB_COMPLETION_INDEX="0")
    assert settings.shard == Shard(3, 8)
    assert settings.doubts == ("SHARDS is not read; SHARD is",)


PARTS = "must be one of all parts: 1/8, 2/8 and so on up to 8/8"
WRONG_SHARDS = {
    "SHARD=0/8": f"SHARD='0/8': {PARTS}",
    "SHARD=9/8": f"SHARD='9/8': {PARTS}",
    "SHARD=3": f"SHARD='3': {PARTS}",
    "SHARD=3/8/9": f"SHARD='3/8/9': {PARTS}",
    "SHARD=a/b": f"SHARD='a/b': {PARTS}",
    "SHARD=/": f"SHARD='/': {PARTS}",
    "SHARDS=0": "SHARDS='0': must be a whole number from 1 to 100000",
    "SHARDS=8": (
        "SHARDS='8': an Indexed Job sets JOB_COMPLETION_INDEX; elsewhere, set SHARD, as in 1/8"
    ),
    "SHARDS=8 JOB_COMPLETION_INDEX=8": (
        "SHARDS='8': JOB_COMPLETION_INDEX is 8: the Job's completions must be as many"
    ),
    "SHARDS=8 JOB_COMPLETION_INDEX=x": (
        "JOB_COMPLETION_INDEX='x': must be a whole number from 0 to 99999"
    ),
}


@pytest.mark.parametrize("line", list(WRONG_SHARDS))
def test_a_part_that_there_is_not_is_a_mistake(line: str) -> None:
    """Schemas would be left out without a word."""
    assert complaint(**given(line)) == WRONG_SHARDS[line]
