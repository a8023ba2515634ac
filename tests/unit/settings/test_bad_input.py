"""Whatever somebody types: a clear word, the right exit code, no traceback, no secret, no harm."""

import io
import os
import select
import socket
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple
from unittest.mock import patch

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import create_tables
from tests.support.variables import VARIABLES

PASSWORD = "hunter2"
EXAMPLES = int(os.environ.get("EATER_PROPERTY_EXAMPLES", "200"))
Files = Dict[str, Any]  # by name: bytes, None for a directory, a name for a link to it

PORT = "must be a whole number from 1 to 65535"
RETRIES = "must be a whole number from 1 to 1000"
ROWS = "must be a whole number from 0 to 9223372036854775807"
WAIT = "must be a duration such as 500ms, 2s, 2min or 1h, from 1ms (0 would mean to wait forever)"
DELAY = "must be a duration such as 500ms, 2s, 2min or 1h, from 0 to 24h"
BOOLEAN = "must be true, 1, yes, on, false, 0, no or off"
LINE = "must be one line; a file or a secret often ends with a line break"
URL = "must not be a URL or a connection string"
HOST = "must be a host name, an address or the directory of a socket, not a URL"
BYTES = "holds bytes that are not UTF-8"
UNSEEN = "which nobody sees"
LIST = "must be names separated by commas"
BLANK = "must not be blank"
RESERVED = "is reserved by PostgreSQL"
PARTS = "must be one of all parts: 1/8, 2/8 and so on up to 8/8"

VALUES: List[Tuple[str, Optional[str], str]] = [
    ("POSTGRES_HOST", None, "POSTGRES_HOST is missing: server: name, address or socket directory"),
    ("POSTGRES_HOST", "", "POSTGRES_HOST is missing"),
    ("POSTGRES_HOST", " \t ", BLANK),
    ("POSTGRES_HOST", "db\nlocalhost", LINE),
    ("POSTGRES_HOST", "db\r", LINE),
    ("POSTGRES_HOST", "db\x1b[31m", UNSEEN),
    ("POSTGRES_HOST", "\ufeffdb", UNSEEN),
    ("POSTGRES_HOST", "db\u200b", UNSEEN),
    ("POSTGRES_HOST", "db\u202egro.elpmaxe", UNSEEN),
    ("POSTGRES_HOST", "postgresql://me:hunter2@db/eater", HOST),
    ("POSTGRES_HOST", "host=db password = hunter2", HOST),
    ("POSTGRES_HOST", "caf\udce9", BYTES),
    ("POSTGRES_PORT", "abc", PORT),
    ("POSTGRES_PORT", "0", PORT),
    ("POSTGRES_PORT", "-5432", PORT),
    ("POSTGRES_PORT", "+5432", PORT),
    ("POSTGRES_PORT", "65536", PORT),
    ("POSTGRES_PORT", "5432,5433", PORT),
    ("POSTGRES_PORT", "5432.0", PORT),
    ("POSTGRES_PORT", "0x1538", PORT),
    ("POSTGRES_PORT", "5_432", PORT),
    ("POSTGRES_PORT", "\uff15\uff14\uff13\uff12", PORT),
    ("POSTGRES_PORT", "\u0665\u0664\u0663\u0662", PORT),
    ("POSTGRES_PORT", "9" * 1_000_000, PORT),
    ("POSTGRES_PORT", "tcp://10.0.0.1:5432", PORT),
    ("POSTGRES_DB", None, "POSTGRES_DB is missing: database; it has to exist"),
    ("POSTGRES_DB", "\u00a0", BLANK),
    ("POSTGRES_DB", "eater\u00a0", UNSEEN),
    ("POSTGRES_DB", "eater\n", LINE),
    ("POSTGRES_DB", "postgresql://me:hunter2@db/eater", URL),
    ("POSTGRES_DB", "dbname=eater PASSWORD=hunter2", URL),
    ("POSTGRES_USER", None, "POSTGRES_USER is missing: role to connect as"),
    ("POSTGRES_USER", "chater\t", UNSEEN),
    ("POSTGRES_USER", "chater\x07", UNSEEN),
    ("POSTGRES_PASSWORD", None, "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is missing"),
    ("POSTGRES_PASSWORD", "", "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is missing"),
    ("POSTGRES_PASSWORD", "hunter2\udcff", f"(its value is not shown): {BYTES}"),
    ("POSTGRES_SSLMODE", "on", "must be one of disable, allow, prefer, require"),
    ("POSTGRES_SSLMODE", "verify_full", "must be one of disable, allow, prefer, require"),
    ("POSTGRES_SSLMODE", "requ\u0456re", "must be one of disable, allow, prefer, require"),
    ("POSTGRES_SSLROOTCERT", "/no/such/ca.pem", "the file cannot be read: No such file"),
    ("POSTGRES_SSLROOTCERT", "directory", "the file cannot be read: Is a directory"),
    ("POSTGRES_SSLROOTCERT", "x" * 5000, "the file cannot be read: File name too long"),
    ("POSTGRES_SCHEMAS", ",", "an empty name is not allowed; check for an extra comma"),
    ("POSTGRES_SCHEMAS", "a,,b", "an empty name is not allowed; check for an extra comma"),
    ("POSTGRES_SCHEMAS", '""', "an empty name is not allowed; check for an extra comma"),
    ("POSTGRES_SCHEMAS", "a;b c", LIST),
    ("POSTGRES_SCHEMAS", 'public"; DROP SCHEMA public CASCADE; --', LIST),
    ("POSTGRES_SCHEMAS", '"open', LIST),
    ("POSTGRES_SCHEMAS", "public,public", "the name 'public' is listed twice"),
    ("POSTGRES_SCHEMAS", "pg_catalog", RESERVED),
    ("POSTGRES_SCHEMAS", "pg_temp", RESERVED),
    ("POSTGRES_SCHEMAS", "pg_toast", RESERVED),
    ("POSTGRES_SCHEMAS", "information_schema", RESERVED),
    ("POSTGRES_SCHEMAS", "a" * 64, "is longer than 63 bytes"),
    ("POSTGRES_SCHEMAS", "ü" * 32, "is longer than 63 bytes"),
    ("POSTGRES_SCHEMAS", "pub\u200dlic", UNSEEN),
    ("POSTGRES_SCHEMAS", "a\nb", LINE),
    ("POSTGRES_SCHEMAS", ",".join(["a"] * 100_000), "the name 'a' is listed twice"),
    ("POSTGRES_SCHEMAS", "pg_*", RESERVED),
    ("POSTGRES_SCHEMAS", "tenant_*,tenant_*", "the name 'tenant_*' is listed twice"),
    ("POSTGRES_SCHEMAS_QUERY", "SELECT 'hunter2'; COMMIT", "(its value is not shown): must be one"),
    ("POSTGRES_SCHEMAS_QUERY", " ; ", "(its value is not shown): must not be blank"),
    ("POSTGRES_SCHEMAS_FILE", "/no/such/file", "the file cannot be read: No such file"),
    ("POSTGRES_SCHEMAS_FILE", "directory", "the file cannot be read: Is a directory"),
    ("SHARD", "0/8", PARTS),
    ("SHARD", "9/8", PARTS),
    ("SHARD", "3 of 8", PARTS),
    ("SHARDS", "8", "an Indexed Job sets JOB_COMPLETION_INDEX; elsewhere, set SHARD"),
    ("SHARDS", "0", "must be a whole number from 1 to 100000"),
    ("PARALLEL", "0", "must be a whole number from 1 to 32"),
    ("PARALLEL", "33", "must be a whole number from 1 to 32"),
    ("CANARY_SCHEMAS", "one", "must be a whole number from 0 to 1000000"),
    ("ON_REFUSAL", "ask", "must be one of stop, skip"),
    ("CITUS_DISTRIBUTE", "ja", BOOLEAN),
    ("BENCHMARK_SCHEMAS", "-1", "must be a whole number from 0 to 1000000"),
    ("LOG_LEVEL", "loud", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("LOG_LEVEL", "10", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("LOG_FORMAT", "xml", "must be one of text, json"),
    ("LOG_FORMAT", "jsonl", "must be one of text, json"),
    ("EATER_REPORT", "report.pdf", "must end in .html, .md or .json"),
    ("EATER_REPORT", "report", "must end in .html, .md or .json"),
    ("EATER_REPORT", "/no/such/report.html", "there is no directory /no/such"),
    ("EATER_REPORT", "directory/report.html/", "must end in .html, .md or .json"),
    ("EATER_REPORT", "\n.html", LINE),
    ("MAX_RETRIES", "0", RETRIES),
    ("MAX_RETRIES", "-1", RETRIES),
    ("MAX_RETRIES", "1e3", RETRIES),
    ("MAX_RETRIES", "1001", RETRIES),
    ("MAX_RETRIES", "five", RETRIES),
    ("MAX_RETRIES", "5\u0661", RETRIES),
    ("RETRY_DELAY", "-1", DELAY),
    ("RETRY_DELAY", "25h", DELAY),
    ("RETRY_DELAY", "nan", DELAY),
    ("RETRY_DELAY", "inf", DELAY),
    ("RETRY_DELAY", "5 seconds", DELAY),
    ("LOCK_TIMEOUT", "0", WAIT),
    ("LOCK_TIMEOUT", "0.1ms", WAIT),
    ("LOCK_TIMEOUT", "1e3", WAIT),
    ("LOCK_TIMEOUT", "2m", WAIT),
    ("LOCK_TIMEOUT", "200 мс", WAIT),
    ("LOCK_PATIENCE", "597h", "must be a duration such as 500ms, 2s, 2min or 1h, from 0 to 596h"),
    ("REWRITE_MAX_ROWS", "-1", ROWS),
    ("REWRITE_MAX_ROWS", "100,000", ROWS),
    ("REWRITE_MAX_ROWS", "9223372036854775808", ROWS),
    ("REWRITE_MAX_ROWS", "9" * 100_000, ROWS),
    ("DEFAULT_USER_EMAIL", " ", BLANK),
    ("DEFAULT_USER_EMAIL", "a@example.org\nb@example.org", LINE),
    ("DEFAULT_USER_EMAIL", "a@example.org\u2028", UNSEEN),
    ("VERIFY_INDEXES", "maybe", BOOLEAN),
    ("VERIFY_INDEXES", "2", BOOLEAN),
    ("ENABLE_PERFORMANCE_TEST", "ja", BOOLEAN),
    ("ENABLE_PERFORMANCE_TEST", "tru\u0435", BOOLEAN),
]
FILES: List[Tuple[Dict[str, Optional[str]], Files, str]] = [
    ({}, {".env": b"POSTGRES_HOST=a\0b\n"}, "must not hold a NUL byte"),
    ({}, {".env": b"POSTGRES_PORT='54\n"}, ".env has lines that are not NAME=value: line 1"),
    ({}, {".env": b"<html>\n=hunter2\n"}, ".env has lines that are not NAME=value: line "),
    ({}, {".env": b"POSTGRES_PASSWORD=hunter2\xff\n"}, ".env is not UTF-8"),
    ({}, {".env": "POSTGRES_PORT=1\n".encode("utf-16")}, ".env is not UTF-8"),
    ({}, {".env": b"POSTGRES_PORT=abc\n"}, f"POSTGRES_PORT='abc': {PORT}"),
    ({}, {".env": b'LOCK_TIMEOUT="0\\n"\n'}, WAIT),
    ({}, {".env": None}, ".env cannot be read: Is a directory"),
    ({}, {".env": "loop", "loop": ".env"}, "POSTGRES_HOST is missing"),
    ({}, {".env": b""}, "POSTGRES_HOST is missing"),
    ({"POSTGRES_PASSWORD": None}, {}, "the file cannot be read: No such file or directory"),
    ({"POSTGRES_PASSWORD": None}, {"secret": None}, "the file cannot be read: Is a directory"),
    ({"POSTGRES_PASSWORD": None}, {"secret": "secret"}, "the file cannot be read: Too many levels"),
    ({"POSTGRES_PASSWORD": None}, {"secret": b""}, "the file is empty"),
    ({"POSTGRES_PASSWORD": None}, {"secret": b"\r\n"}, "the file is empty"),
    ({"POSTGRES_PASSWORD": None}, {"secret": b"hunter2\0"}, "the file holds a NUL byte"),
    ({"POSTGRES_PASSWORD": None}, {"secret": b"hunter2\xe9"}, "the file is not UTF-8"),
    ({"POSTGRES_PASSWORD": None}, {"secret": b"hunter2" * 10**5}, "the file is larger than 64 KiB"),
    ({}, {"secret": b"hunter2"}, "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both given"),
]
LINES = {
    "--nonsense": "unrecognized arguments: --nonsense",
    "public": "unrecognized arguments: public",
    "--roll": "unrecognized arguments: --roll; did you mean --rollback?",
    "plan": "unrecognized arguments: plan; did you mean --plan?",
    "diff": "unrecognized arguments: diff; did you mean --plan?",
    "-p": "unrecognized arguments: -p",
    "--plan=yes": "argument --plan: ignored explicit argument 'yes'",
    "--plan --verify": "--plan goes with a run or with --rollback",
    "--plan --history": "--plan goes with a run or with --rollback",
    "--verify --rollback": "argument --rollback: not allowed with argument --verify",
    "--history --verify": "argument --verify: not allowed with argument --history",
    "--rollback 1": "unrecognized arguments: 1",
    "--rollback --to": "argument --to: expected one argument",
    "--rollback --to -1": "argument --to: invalid number value: '-1'",
    "--rollback --to 1.0": "argument --to: invalid number value: '1.0'",
    "--history last": "argument --history: invalid number value: 'last'",
    "--history --yes": "--to and --yes go with --rollback",
    "--plan --to 1": "--to and --yes go with --rollback",
    "--to 1": "--to and --yes go with --rollback",
    "--yes": "--to and --yes go with --rollback",
    "--password hunter": "unrecognized arguments: --password hunter",
    "--report": "argument --report: expected one argument",
    "--report a.pdf": "--report 'a.pdf': must end in .html, .md or .json",
    "--report none/a.md --plan": "--report 'none/a.md': there is no directory none",
    "--report a.md --yes": "--to and --yes go with --rollback",
    "-- --plan": "unrecognized arguments: -- --plan",
    "--apply=": "--apply takes the name of a file, or - for what is piped in",
}


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Where a server would be; nobody may knock."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener
        assert select.select([listener], [], [], 0)[0] == [], "it was connected to"


@pytest.fixture
def started(
    door: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Start the job with some variables; return its exit code, and what it says on stderr."""
    (tmp_path / "directory").mkdir()
    monkeypatch.chdir(tmp_path)
    good = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(door.getsockname()[1]),
        "POSTGRES_DB": "eater",
        "POSTGRES_USER": "chater",
        "POSTGRES_PASSWORD": PASSWORD,
    }

    def start(arguments: List[str], variables: Dict[str, Optional[str]]) -> Tuple[int, str]:
        for variable in VARIABLES:
            monkeypatch.delenv(variable.name, raising=False)
        for name, value in {**good, **variables}.items():
            if value is not None:
                monkeypatch.setenv(name, value)
        code = create_tables.main(arguments)
        out, err = capsys.readouterr()
        assert out == ""
        assert PASSWORD not in err
        return code, err

    return start


@pytest.mark.parametrize(("name", "value", "words"), VALUES, ids=range(len(VALUES)))
def test_a_wrong_variable(started: Any, name: str, value: Optional[str], words: str) -> None:
    """It is named, with what is allowed; no more of it is shown than a line holds."""
    code, err = started([], {name: value})
    assert code == 2
    assert f"ERROR The configuration is unusable; nothing was done.\n  {name}" in err
    assert words in err
    assert len(err) < 500
    assert err.count("\n") == 2


@pytest.mark.parametrize(("variables", "files", "words"), FILES, ids=range(len(FILES)))
def test_a_wrong_file(
    started: Any, tmp_path: Path, variables: Dict[str, Optional[str]], files: Files, words: str
) -> None:
    """What it holds is not shown, as it may be secret: the line's number is."""
    for name, content in files.items():
        if content is None:
            (tmp_path / name).mkdir()
        elif isinstance(content, str):
            (tmp_path / name).symlink_to(content)
        else:
            (tmp_path / name).write_bytes(content)
    if ".env" in files:
        variables = {v.name: None for v in VARIABLES}
    else:
        variables = {**variables, "POSTGRES_PASSWORD_FILE": str(tmp_path / "secret")}
    code, err = started([], variables)
    assert code == 2
    assert words in err


@pytest.mark.parametrize("line", list(LINES))
def test_a_wrong_command_line(started: Any, line: str) -> None:
    """The usage comes with it; an option is not guessed from its beginning."""
    code, err = started(line.split(), {})
    assert code == 2
    assert err.startswith("usage: create_tables.py [-h] [--plan] ")
    assert err.endswith(f"\ncreate_tables.py: error: {LINES[line]}\n")


def test_there_are_enough_of_them() -> None:
    """Of wrong inputs, none twice."""
    inputs = [*map(repr, VALUES), *map(repr, FILES), *LINES]
    assert len(set(inputs)) == len(inputs) >= 80


# What an environment can hold: any bytes but NUL, those that are not UTF-8 as lone surrogates.
CHARACTERS = st.one_of(
    st.characters(min_codepoint=1, blacklist_categories=["Cs"]),
    st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
)
GOOD_OR_NEARLY = st.sampled_from(
    [
        "",
        " ",
        "0",
        "1",
        "5432",
        "1ms",
        "2min",
        "true",
        "json",
        "DEBUG",
        "public",
        'a,"b ""c"""',
        "/",
    ]
)
TEXTS = st.one_of(st.text(CHARACTERS, max_size=40), GOOD_OR_NEARLY)
OPTIONS = st.sampled_from(
    ["--plan", "--verify", "--history", "--rollback", "--to=1", "--yes", "--version", "--help"]
)
WORDS = st.text(st.characters(blacklist_categories=["N", "C"]), min_size=1)
ALWAYS = {
    # One directory in which nobody answers; a run that gets so far does not wait.
    "POSTGRES_HOST": TEXTS.map(lambda text: "/" + text.replace(",", "")),
    "MAX_RETRIES": st.one_of(st.just("1"), WORDS),
    "POSTGRES_PASSWORD": TEXTS.map("<hunter2>".__add__),
}
NAMES = st.one_of(st.just("eater"), TEXTS)
REQUIRED = {"POSTGRES_DB": NAMES, "POSTGRES_USER": NAMES}
OTHERS = {v.name: TEXTS for v in VARIABLES if v.name not in {**ALWAYS, **REQUIRED}}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    variables=st.fixed_dictionaries({**ALWAYS, **REQUIRED}, optional=OTHERS),
    arguments=st.lists(st.one_of(OPTIONS, st.text(CHARACTERS, max_size=10)), max_size=3),
    dotenv=st.one_of(st.just(b""), st.binary(max_size=60), TEXTS.map(os.fsencode)),
)
def test_anything_at_all(variables: Dict[str, str], arguments: List[str], dotenv: bytes) -> None:
    """Never an exception, and an exit code of the README, whatever it is started with."""
    out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
    with tempfile.TemporaryDirectory() as directory, patch.dict(os.environ, clear=True):
        Path(directory, ".env").write_bytes(dotenv)
        os.environ.update({name: value for name, value in variables.items() if value})
        os.chdir(directory)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = create_tables.main(arguments)
        finally:
            os.chdir(before)
    event(f"exit {code}")
    assert code in (0, 2, 3), err.getvalue()
    assert PASSWORD not in out.getvalue() + err.getvalue()
    assert code != 0 or {"--help", "-h", "--version"} & set(arguments)
