"""What the variables may be, and what is said when they are not."""

import os
from pathlib import Path
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chater
from converge.errors import ConfigurationError
from converge.settings.loading import load_settings
from converge.settings.schemas import Entry, Source
from converge.settings.variables import VARIABLES, Settings
from tests.support.settings import NO_DOTENV, REQUIRED, complaint, loaded

NOBODY = 65534


def test_only_four_variables_are_required() -> None:
    """The rest has the defaults of the design."""
    assert loaded() == Settings(
        host="db.example.org",
        port=5432,
        database="eater",
        user="eater_admin",
        password="s3cret",
        sslmode=None,
        sslrootcert=None,
        schemas=("public",),
        source=Source((Entry("public"),)),
        shard=None,
        parallel=1,
        canary_schemas=1,
        on_refusal="stop",
        citus_distribute=False,
        log_level="INFO",
        log_format="text",
        report=None,
        max_retries=5,
        retry_delay=5.0,
        lock_timeout=0.2,
        lock_patience=120.0,
        rewrite_max_rows=100_000,
        verify_indexes=True,
        enable_performance_test=True,
        benchmark_schemas=3,
        own={"default_user_email": "legacy@localhost"},
    )


def test_an_empty_variable_is_an_unset_one() -> None:
    """Compose files and charts make an empty text of a value that is not there."""
    assert loaded(**{v.name: "" for v in VARIABLES if v.name not in REQUIRED}) == loaded()


def test_without_any_setting_it_says_where_they_go() -> None:
    """Whoever starts it for the first time has none."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, NO_DOTENV)
    assert str(caught.value).endswith(
        "is missing: its password\n"
        "  Set them here or in .env; --help lists all; `make run` has a server of its own."
    )


def test_all_mistakes_are_reported_at_once() -> None:
    """Whoever has three mistakes needs one run to learn of them."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"POSTGRES_HOST": "h", "POSTGRES_PORT": "no", "LOG_LEVEL": "loud"}, NO_DOTENV)
    assert str(caught.value) == (
        "The configuration is unusable; nothing was done.\n"
        "  POSTGRES_PORT='no': must be a whole number from 1 to 65535\n"
        "  LOG_LEVEL='loud': must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL\n"
        "  POSTGRES_DB is missing: database; it has to exist\n"
        "  POSTGRES_USER is missing: role to connect as\n"
        "  POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is missing: its password"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("POSTGRES_HOST", "/var/run/postgresql", "host", "/var/run/postgresql"),
        ("POSTGRES_PORT", " 6432 ", "port", 6432),
        ("POSTGRES_PORT", "05432", "port", 5432),
        ("POSTGRES_DB", "Müll & Söhne", "database", "Müll & Söhne"),
        ("POSTGRES_PASSWORD", "  ", "password", "  "),
        ("POSTGRES_PASSWORD", "p@ss %'\"\\\n${X}ü", "password", "p@ss %'\"\\\n${X}ü"),
        ("POSTGRES_SSLMODE", "verify-full", "sslmode", "verify-full"),
        ("POSTGRES_SSLROOTCERT", "system", "sslrootcert", "system"),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOG_FORMAT", "JSON", "log_format", "json"),
        ("EATER_REPORT", "report.html", "report", "report.html"),
        ("EATER_REPORT", "./of a run.md", "report", "./of a run.md"),
        ("MAX_RETRIES", "1", "max_retries", 1),
        ("RETRY_DELAY", "0", "retry_delay", 0.0),
        ("RETRY_DELAY", "0.5", "retry_delay", 0.5),
        ("LOCK_TIMEOUT", "1ms", "lock_timeout", 0.001),
        ("LOCK_TIMEOUT", "500 ms", "lock_timeout", 0.5),
        ("LOCK_TIMEOUT", "2s", "lock_timeout", 2.0),
        ("LOCK_TIMEOUT", "596h", "lock_timeout", 2_145_600.0),
        ("LOCK_PATIENCE", "1.5min", "lock_patience", 90.0),
        ("LOCK_PATIENCE", "1h", "lock_patience", 3600.0),
        ("REWRITE_MAX_ROWS", "9223372036854775807", "rewrite_max_rows", 2**63 - 1),
        ("PARALLEL", "32", "parallel", 32),
        ("CANARY_SCHEMAS", "0", "canary_schemas", 0),
        ("ON_REFUSAL", "Skip", "on_refusal", "skip"),
        ("CITUS_DISTRIBUTE", "yes", "citus_distribute", True),
        ("BENCHMARK_SCHEMAS", "0", "benchmark_schemas", 0),
        ("DEFAULT_USER_EMAIL", "n@example.org", "own", {"default_user_email": "n@example.org"}),
        *[("VERIFY_INDEXES", yes, "verify_indexes", True) for yes in ("true", "1", "YES", "On")],
        *[("VERIFY_INDEXES", no, "verify_indexes", False) for no in ("False", "0", "no", "OFF")],
    ],
)
def test_a_value_is_understood(name: str, text: str, field: str, value: Any) -> None:
    """What a person may write for it is taken."""
    assert getattr(loaded(**{name: text}), field) == value


PORT = "must be a whole number from 1 to 65535"
LINE = "must be one line; a file or a secret often ends with a line break"
WAIT = (
    "must be a duration such as 500ms, 2s, 2min or 1h, "
    "from 1ms (0 would mean to wait forever) to 596h"
)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("POSTGRES_HOST", "  ", "must not be blank"),
        ("POSTGRES_HOST", "db\n", LINE),
        ("POSTGRES_DB", "a\rb", LINE),
        ("POSTGRES_USER", "a\0b", "must not hold a NUL byte"),
        ("POSTGRES_USER", "caf\udce9", "holds bytes that are not UTF-8"),
        ("POSTGRES_PORT", "0", PORT),
        ("POSTGRES_PORT", "65536", PORT),
        ("POSTGRES_PORT", "-1", PORT),
        ("POSTGRES_PORT", "5432.0", PORT),
        ("POSTGRES_PORT", "5_432", PORT),
        ("POSTGRES_PORT", "٥٤٣٢", PORT),
        ("POSTGRES_PORT", "²", PORT),
        (
            "POSTGRES_SSLMODE",
            "on",
            "must be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "POSTGRES_SSLROOTCERT",
            "/no/ca.pem",
            "the file cannot be read: No such file or directory",
        ),
        ("LOG_FORMAT", "xml", "must be one of text, json"),
        ("MAX_RETRIES", "0", "must be a whole number from 1 to 1000"),
        (
            "RETRY_DELAY",
            "2d",
            "must be a duration such as 500ms, 2s, 2min or 1h, from 0 to 24h",
        ),
        *[
            ("LOCK_TIMEOUT", text, WAIT)
            for text in ("0", "0.5ms", "-1s", "nan", "inf", "1e3", "2m", "597h", "s", "\u0661s")
        ],
        (
            "REWRITE_MAX_ROWS",
            "9223372036854775808",
            "must be a whole number from 0 to 9223372036854775807",
        ),
        ("DEFAULT_USER_EMAIL", " ", "must not be blank"),
        ("PARALLEL", "0", "must be a whole number from 1 to 32"),
        ("PARALLEL", "33", "must be a whole number from 1 to 32"),
        ("CANARY_SCHEMAS", "-1", "must be a whole number from 0 to 1000000"),
        ("BENCHMARK_SCHEMAS", "all", "must be a whole number from 0 to 1000000"),
        ("ON_REFUSAL", "go on", "must be one of stop, skip"),
        ("CITUS_DISTRIBUTE", "maybe", "must be true, 1, yes, on, false, 0, no or off"),
        ("VERIFY_INDEXES", "maybe", "must be true, 1, yes, on, false, 0, no or off"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(name: str, text: str, reason: str) -> None:
    """The message names the variable, quotes the value and says what it may be."""
    assert complaint(**{name: text}) == f"{name}={text!r}: {reason}"


def test_an_enormous_value_is_shortened() -> None:
    """A file that was pasted into a variable does not fill the log."""
    shown = complaint(MAX_RETRIES="9" * 5000)
    assert shown.startswith(f"MAX_RETRIES='{'9' * 60}'... (5000 characters): ")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"POSTGRES_PASSWORD": "hunter2\0"},
            "POSTGRES_PASSWORD (its value is not shown): must not hold a NUL byte",
        ),
        (
            {"POSTGRES_PASSWORD": "hunter2\udcff"},
            "POSTGRES_PASSWORD (its value is not shown): holds bytes that are not UTF-8",
        ),
        (
            {"POSTGRES_HOST": "postgresql://me:hunter2@db/eater"},
            "POSTGRES_HOST (its value is not shown): "
            "must be a host name, an address or the directory of a socket, not a URL",
        ),
    ],
    ids=["NUL", "not UTF-8", "URL"],
)
def test_a_secret_is_never_shown(variables: Dict[str, str], message: str) -> None:
    """Neither a wrong password nor one in a URL gets into a message."""
    assert complaint(**variables) == message


def test_the_password_is_not_in_the_repr() -> None:
    """Settings that end up in a log or a traceback give nothing away."""
    shown = repr(loaded(POSTGRES_PASSWORD="hunter2"))
    assert shown.startswith("Settings(host='db.example.org', port=5432, ")
    assert "password='***'" in shown
    assert "hunter2" not in shown
    assert "hunter2" not in str(loaded(POSTGRES_PASSWORD="hunter2"))


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret\n\n", "s3cret\n"),
        (b" \xc3\xbc ", " ü "),
    ],
)
def test_the_password_may_come_from_a_file(tmp_path: Path, content: bytes, password: str) -> None:
    """One line break at its end is an editor's; all the rest is the password's."""
    path = tmp_path / "password"
    path.write_bytes(content)
    settings = loaded(POSTGRES_PASSWORD="", POSTGRES_PASSWORD_FILE=str(path))
    assert settings.password == password


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the file cannot be read: No such file or directory"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"hunter2\xff", "the file is not UTF-8"),
        (b"hunter2\0", "the file holds a NUL byte, which no password can"),
        (b"hunter2" * 10_000, "the file is larger than 64 KiB, which no password is"),
    ],
    ids=["missing", "empty", "blank", "not UTF-8", "NUL", "large"],
)
def test_an_unusable_password_file_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    """The message has the path, never the contents."""
    path = tmp_path / "p"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        loaded(POSTGRES_PASSWORD="", POSTGRES_PASSWORD_FILE=str(path))
    assert str(caught.value).endswith(f": {reason}")
    assert "  POSTGRES_PASSWORD_FILE='" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_directory_is_no_password_file() -> None:
    """What a mount without its key leaves is said by name."""
    assert complaint(POSTGRES_PASSWORD="", POSTGRES_PASSWORD_FILE="/") == (
        "POSTGRES_PASSWORD_FILE='/': the file cannot be read: Is a directory"
    )


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    """Which of them is meant is not guessed."""
    path = tmp_path / "password"
    path.write_text("other", encoding="utf-8")
    assert complaint(POSTGRES_PASSWORD_FILE=str(path)) == (
        "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both given: keep one of them"
    )


def test_the_environment_wins_over_dotenv(tmp_path: Path) -> None:
    """The file fills in what the environment leaves open, and neither is changed."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "\ufeffPOSTGRES_PORT=6432\nexport POSTGRES_DB='other'\nLOG_LEVEL=debug # loud\n"
        "LOG_FORMAT\nOTHER=1\n",
        encoding="utf-8",
    )
    before = dict(os.environ)
    settings = load_settings({**REQUIRED, "LOG_LEVEL": ""}, str(dotenv))
    assert (settings.port, settings.database) == (6432, "eater")
    assert (settings.log_level, settings.log_format) == ("DEBUG", "text")
    assert dict(os.environ) == before


def test_a_password_in_the_environment_wins_over_a_file_in_dotenv(tmp_path: Path) -> None:
    """The two are one setting, so the environment decides it."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("POSTGRES_PASSWORD_FILE=/no/such/file\n", encoding="utf-8")
    assert load_settings(REQUIRED, str(dotenv)).password == "s3cret"


def test_nothing_in_dotenv_is_replaced(tmp_path: Path) -> None:
    """A password may well hold ${...}."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("POSTGRES_PASSWORD='a${HOME}$b'\n", encoding="utf-8")
    settings = load_settings({**REQUIRED, "POSTGRES_PASSWORD": ""}, str(dotenv))
    assert settings.password == "a${HOME}$b"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"A=1\n\nPASSWORD='hunter2\nB=2\n", "has lines that are not NAME=value: line 2"),
        (b"=hunter2\nA=1\n'\n", "has lines that are not NAME=value: line 1, 3"),
        (b"PASSWORD=hunter2\xff\n", "is not UTF-8"),
    ],
    ids=["unclosed", "two", "not UTF-8"],
)
def test_a_broken_dotenv_is_not_read_in_part(tmp_path: Path, content: bytes, reason: str) -> None:
    """The lines are numbered; what they hold may be secret."""
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(REQUIRED, str(dotenv))
    assert str(caught.value) == f"{dotenv} {reason}"


def test_a_directory_named_dotenv_is_said_to_be_one(tmp_path: Path) -> None:
    """What is there but cannot be read is not passed over."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(REQUIRED, str(tmp_path))
    assert str(caught.value) == f"{tmp_path} cannot be read: Is a directory"


TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet='0123456789.,-"\\ \n\0smhin_pg\udcff', max_size=20),
    st.sampled_from(["", "0", "/", "1ms", "true", "json", "system", "a://b", "9" * 400]),
)


@given(st.fixed_dictionaries({}, optional={v.name: TEXTS for v in VARIABLES}), TEXTS)
def test_any_environment_gives_settings_or_a_configuration_error(
    environment: Dict[str, str], password: str
) -> None:
    """No other exception, and no password in the message, whatever the variables hold."""
    environment["POSTGRES_PASSWORD"] = "<hunter2>" + password
    try:
        shown = repr(load_settings(environment, NO_DOTENV))
    except ConfigurationError as error:
        shown = str(error)
    assert "hunter2" not in shown


def test_other_words_for_a_value() -> None:
    """As other programs spell them."""
    assert loaded(LOG_LEVEL="warn").log_level == "WARNING"
    assert loaded(LOG_FORMAT="JSON").log_format == "json"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LOCKTIMEOUT", "LOCK_TIMEOUT"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("log_level", "LOG_LEVEL"),
        ("REWRITE_MAXROWS", "REWRITE_MAX_ROWS"),
        ("VERIFY_INDEX", "VERIFY_INDEXES"),
        ("DEFAULT_USER_MAIL", "DEFAULT_USER_EMAIL"),
        ("PARALEL", "PARALLEL"),
        ("ON_REFUSALS", "ON_REFUSAL"),
        ("CANARY_SCHEMA", "CANARY_SCHEMAS"),
        ("BENCHMARK_SCHEMA", "BENCHMARK_SCHEMAS"),
        ("CITUS_DISTRIBUTED", "CITUS_DISTRIBUTE"),
    ],
)
def test_a_name_that_is_nearly_one_of_ours_is_a_doubt(name: str, meant: str) -> None:
    """Unless the right one is given too: then it is another program's."""
    assert loaded(**{name: "1"}).doubts == (f"{name} is not read; {meant} is",)
    right = next(v for v in (*VARIABLES, *chater.VARIABLES) if v.name == meant).default
    assert loaded(**{name: "1", meant: right or ""}).doubts == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("POSTGRES_SCHEMA", "POSTGRES_SCHEMAS"),
        ("POSTGRES_SCHEMA_QUERY", "POSTGRES_SCHEMAS_QUERY"),
        ("POSTGRES_SCHEMAS_FILES", "POSTGRES_SCHEMAS_FILE"),
        ("POSTGRES_SSL_MODE", "POSTGRES_SSLMODE"),
        ("POSTGRES_SSLROOT_CERT", "POSTGRES_SSLROOTCERT"),
    ],
)
def test_a_slip_that_would_lead_elsewhere_is_a_mistake(name: str, meant: str) -> None:
    """The wrong schemas, or no TLS: nothing is done."""
    assert complaint(**{name: "tenant"}) == f"{name} is not read; {meant} is"


def test_a_slip_in_a_dotenv_counts_too(tmp_path: Path) -> None:
    """It is where most of them are made."""
    path = tmp_path / ".env"
    path.write_text("LOG_LEVELS=DEBUG\n", "utf-8")
    assert load_settings(REQUIRED, str(path)).doubts == ("LOG_LEVELS is not read; LOG_LEVEL is",)


@pytest.mark.parametrize(
    "name",
    [
        "LOGNAME",
        "MAXIMUM",
        "POSTGRES_SERVICE_HOST",
        "POSTGRES_SERVICE_PORT",
        "POSTGRES_PORT_5432_TCP_ADDR",
        "POSTGRES_INITDB_ARGS",
        "POSTGRES_HOST_AUTH_METHOD",
        "POSTGRES_USER_FILE",
    ],
)
def test_other_programs_names_are_none_of_ours(name: str) -> None:
    """Kubernetes' links to services, and what PostgreSQL's image takes."""
    assert loaded(**{name: "1"}).doubts == ()


FROM_URL: Dict[str, Dict[str, Any]] = {
    "postgresql://eater_admin:s3cret@db.example.org/eater": {},
    "postgres://eater_admin:s3cret@db.example.org:6432/eater": {"port": 6432},
    "postgresql+psycopg2://eater_admin:p%40ss%2F%25@db.example.org/eater": {"password": "p@ss/%"},
    "postgresql://eater_admin:s3cret@db.example.org/eater?sslmode=require": {"sslmode": "require"},
    "postgresql:///eater?host=/run/postgresql&user=eater_admin&password=s3cret": {
        "host": "/run/postgresql"
    },
}


@pytest.mark.parametrize("value", list(FROM_URL))
def test_a_url_has_the_parts_of_a_connection(value: str) -> None:
    """In all forms in which platforms hand it out."""
    settings = load_settings({"DATABASE_URL": value}, NO_DOTENV, chater.VARIABLES)
    assert settings == loaded()._replace(**FROM_URL[value])


def test_the_parts_win() -> None:
    """What is given by itself was meant for this program."""
    whole = {"DATABASE_URL": "postgresql://other:other@other.example.org/other"}
    assert loaded(**whole) == loaded()
    assert loaded(DATABASE_URL="mysql://somebody:elses@other/one") == loaded()
    parts = {"POSTGRES_USER": "eater_admin", "POSTGRES_PORT": "6432", **whole}
    settings = load_settings(parts, NO_DOTENV)
    assert (settings.user, settings.port, settings.host) == (
        "eater_admin",
        6432,
        "other.example.org",
    )


WRONG_URLS = {
    "hunter2": "DATABASE_URL (its value is not shown): must be postgresql://",
    "mysql://me:hunter2@db/eater": "DATABASE_URL (its value is not shown): must be postgresql://",
    "postgresql://me:hunter2%zz@db/eater": "; in a name or password, @ is written as %40",
    "postgresql://me:hunter2@db/eater?connect_timeout=3": "has connect_timeout; of its",
    "postgresql://me:hunter2@db:port/eater": "POSTGRES_PORT, which DATABASE_URL has: must be",
    "postgresql://me@db/eater": "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is missing",
}


@pytest.mark.parametrize("value", list(WRONG_URLS))
def test_a_wrong_url_is_said_without_the_password(value: str) -> None:
    """Both names are there: that of the URL, and that of the part."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"DATABASE_URL": value}, NO_DOTENV)
    assert WRONG_URLS[value] in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_report_goes_where_one_can_be_written(tmp_path: Path) -> None:
    """What cannot be kept at the end is known at the start; root is another user meanwhile."""
    file = tmp_path / "report.json"
    assert loaded(EATER_REPORT=str(file)).report == str(file)
    assert loaded().report is None
    tmp_path.chmod(0o500)
    os.setreuid(os.getuid() or NOBODY, -1)
    try:
        said = complaint(EATER_REPORT=str(file))
    finally:
        os.setreuid(os.geteuid(), -1)
    assert said.endswith(f": this user may not write to the directory {tmp_path}")


def test_a_report_is_no_directory(tmp_path: Path) -> None:
    """Though its name has an ending."""
    (tmp_path / "a.md").mkdir()
    assert complaint(EATER_REPORT=f"{tmp_path}/a.md").endswith(": is a directory")
