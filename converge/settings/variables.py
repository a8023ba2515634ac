"""The settings: every environment variable with its default, its check and its meaning.

`VARIABLES` is the one statement of them; a new setting is a line there and a field of `Settings`.
"""

from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Tuple

from converge.names import REPORT_VARIABLE
from converge.settings.checks import (
    boolean,
    certificate,
    duration,
    host,
    one_of,
    password_file,
    report_file,
    text,
    whole_number,
)
from converge.settings.schemas import Source, schema_file, schema_list, schema_query
from converge.settings.shard import MOST_SHARDS, Shard, shard
from converge.settings.url import url

LARGEST_BIGINT = 2**63 - 1
MILLISECOND = 0.001
DAY = 86400.0
LONGEST_TIMEOUT = 596 * 3600.0  # lock_timeout is a 32-bit number of milliseconds


class Settings(NamedTuple):
    """What a run is told. Times are in seconds."""

    host: str
    port: int
    database: str
    user: str
    password: str
    sslmode: Optional[str]
    sslrootcert: Optional[str]
    schemas: Tuple[str, ...]  # in the order in which they are to be done; those of `source`
    source: Source
    shard: Optional[Shard]
    parallel: int  # connections that work at once
    canary_schemas: int  # are finished before any other is begun
    on_refusal: str  # "stop" or "skip"
    citus_distribute: bool
    log_level: str
    log_format: str
    report: Optional[str]  # the file to write one to at the end; its ending is the format
    max_retries: int
    retry_delay: float
    lock_timeout: float
    lock_patience: float
    rewrite_max_rows: int
    verify_indexes: bool
    enable_performance_test: bool
    benchmark_schemas: int
    own: Mapping[str, str]  # the values of the variables that are not the engine's, by field
    doubts: Tuple[str, ...] = ()  # what is set and not read, though it is nearly one of them
    run_schemas: Tuple[str, ...] = ()  # all of the run, where `schemas` are a part of them

    @property
    def every_schema(self) -> Tuple[str, ...]:
        return self.run_schemas or self.schemas

    def of(self, schemas: Sequence[str]) -> "Settings":
        """Return them for a part of the run's schemas."""
        return self._replace(schemas=tuple(schemas), run_schemas=self.every_schema)

    @property
    def timed_schemas(self) -> Tuple[str, ...]:
        """The schemas in which the key queries are timed."""
        return self.schemas[: self.benchmark_schemas] if self.enable_performance_test else ()

    def __repr__(self) -> str:
        """Show all but the password."""
        shown = self._asdict()
        shown["password"] = "***"  # noqa: S105 - it stands for one
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class Variable(NamedTuple):
    """One environment variable.

    `default` is what an unset or empty one means: None, that it must be given; "", nothing.
    `parse` raises ValueError with what is allowed. Two variables of one `field` exclude each other.
    """

    name: str
    field: str
    default: Optional[str]
    parse: Callable[[str], Any]
    meaning: str


LOCK_TIMEOUT = duration(
    least=MILLISECOND,
    most=LONGEST_TIMEOUT,
    allowed="from 1ms (0 would mean to wait forever) to 596h",
)
LOCK_PATIENCE = duration(least=0, most=LONGEST_TIMEOUT, allowed="from 0 to 596h")
RETRY_DELAY = duration(least=0, most=DAY, allowed="from 0 to 24h")
SSL_MODES = one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LOG_LEVELS = one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", WARN="WARNING")
COUNT_OF_SHARDS, COUNT_FROM_0 = whole_number(1, MOST_SHARDS), whole_number(0, MOST_SHARDS - 1)
MANY = whole_number(0, 1_000_000)

URL = "DATABASE_URL"
SHARD, SHARDS, SHARD_INDEX = "SHARD", "SHARDS", "JOB_COMPLETION_INDEX"
SECRETS = (str, url, schema_query)  # the checks of what is never shown

VARIABLES = (
    Variable("POSTGRES_HOST", "host", None, host, "server: name, address or socket directory"),
    Variable("POSTGRES_PORT", "port", "5432", whole_number(1, 65535), "port of the server"),
    Variable("POSTGRES_DB", "database", None, text, "database; it has to exist"),
    Variable("POSTGRES_USER", "user", None, text, "role to connect as"),
    Variable("POSTGRES_PASSWORD", "password", None, str, "its password"),
    Variable("POSTGRES_PASSWORD_FILE", "password", "", password_file, "or a file that holds it"),
    Variable("POSTGRES_SSLMODE", "sslmode", "", SSL_MODES, "TLS, as libpq's sslmode"),
    Variable("POSTGRES_SSLROOTCERT", "sslrootcert", "", certificate, "CA certificate, or `system`"),
    Variable(URL, "url", "", url, "or a URL with all of these, of which the above take the place"),
    Variable(
        "POSTGRES_SCHEMAS",
        "source",
        "public",
        schema_list,
        "schemas, comma-separated; tenant_* stands for those that exist",
    ),
    Variable(
        "POSTGRES_SCHEMAS_QUERY",
        "source",
        "",
        schema_query,
        "or a SELECT that returns their names, in the order to do them in",
    ),
    Variable(
        "POSTGRES_SCHEMAS_FILE", "source", "", schema_file, "or a file that holds them, one a line"
    ),
    Variable(SHARD, "shard", "", shard, "the part of the schemas to do: 3/8 is the third of 8"),
    Variable(
        SHARDS, "shards", "", COUNT_OF_SHARDS, "or how many pods of an Indexed Job share them"
    ),
    Variable(
        SHARD_INDEX, "shard_index", "", COUNT_FROM_0, "with SHARDS: which pod, set by Kubernetes"
    ),
    Variable("PARALLEL", "parallel", "1", whole_number(1, 32), "connections that work at once"),
    Variable(
        "CANARY_SCHEMAS",
        "canary_schemas",
        "1",
        MANY,
        "how many schemas are finished before any other is begun",
    ),
    Variable(
        "ON_REFUSAL",
        "on_refusal",
        "stop",
        one_of("stop", "skip"),
        "stop: one schema is refused, and none is changed; skip: the others are",
    ),
    Variable(
        "CITUS_DISTRIBUTE",
        "citus_distribute",
        "false",
        boolean,
        "distribute new schemas with Citus",
    ),
    Variable("LOG_LEVEL", "log_level", "INFO", LOG_LEVELS, "least severe level that is logged"),
    Variable("LOG_FORMAT", "log_format", "text", one_of("text", "json"), "text, or json"),
    Variable(REPORT_VARIABLE, "report", "", report_file, "file for a report: .html, .md or .json"),
    Variable("MAX_RETRIES", "max_retries", "5", whole_number(1, 1000), "attempts in all"),
    Variable("RETRY_DELAY", "retry_delay", "5", RETRY_DELAY, "pause between two attempts"),
    Variable(
        "LOCK_TIMEOUT",
        "lock_timeout",
        "200ms",
        LOCK_TIMEOUT,
        "how long live traffic may queue behind one statement",
    ),
    Variable(
        "LOCK_PATIENCE",
        "lock_patience",
        "2min",
        LOCK_PATIENCE,
        "how long to keep trying for a lock",
    ),
    Variable(
        "REWRITE_MAX_ROWS",
        "rewrite_max_rows",
        "100000",
        whole_number(0, LARGEST_BIGINT),
        "largest table, in rows, that a type change may rewrite",
    ),
    Variable("VERIFY_INDEXES", "verify_indexes", "true", boolean, "verify after the run"),
    Variable(
        "ENABLE_PERFORMANCE_TEST",
        "enable_performance_test",
        "true",
        boolean,
        "time the benchmark queries after the run",
    ),
    Variable("BENCHMARK_SCHEMAS", "benchmark_schemas", "3", MANY, "in how many schemas, at most"),
)
# A slip in the name of one of these is no warning: the run might be another than was meant.
GUARDS = (
    "POSTGRES_SCHEMAS",
    "POSTGRES_SCHEMAS_QUERY",
    "POSTGRES_SCHEMAS_FILE",
    "POSTGRES_SSLMODE",
    "POSTGRES_SSLROOTCERT",
)
