"""Count network round trips and statements on the wire: `python benchmarks/round_trips.py`.

The job's runs beside psql and SQLAlchemy with the same DDL, with and without a password, with and
without the question for TLS, connection set-up included. Then all of it again with models that have
twice as many tables and indexes: the job's counts must not depend on their number.

`--trace` also prints what each round trip of the job's runs asked.
"""

import argparse
import os
import sys
import uuid
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench, wire
from converge.text import table
from tools.embedded import Server

DATABASE, ROLE, INDEX = "counted", "with_password", "idx_dishes_name"
# Of round trips with whichever login takes most: that is SCRAM with sslmode=prefer.
AIMS = {"first run": 15, "second run (quick look)": 5, "run after a dropped index": None}

NOTE = """
The last columns are round trips, by authentication and sslmode. The server has no TLS on this
socket, so `prefer` asks in vain; the wheel's psql has no TLS and never asks. Over a real network
each connection waits once more, for TCP's own handshake."""

# Appended to indexes.py of a copy of the project: every table and index once more.
AGAIN = """
for _table in User.metadata.sorted_tables:
    _copy = _table.to_metadata(_table.metadata, name=f"{_table.name}_again")
    for _index in sorted(_copy.indexes, key=lambda index: str(index.name)):
        _index.name = f"{_index.name}_again"
        INDEXES.append(_index)
"""


class Login(NamedTuple):
    """How the client gets in."""

    title: str
    role: str
    password: str
    sslmode: str


class Lab:
    """A server, a project's directory, and a way in; runs clients through a counting door."""

    def __init__(self, server: Server, project: Path, directory: Path, login: Login) -> None:
        self.server, self.project, self.directory, self.login = server, project, directory, login
        ddl = bench.schema(directory, project)
        self.script = bench.write_script(directory / "schema.sql", ddl)

    def fresh(self) -> None:
        bench.fresh(self.server, DATABASE, owner=self.login.role)

    def drop_index(self) -> None:
        bench.execute(self.server, DATABASE, f"DROP INDEX public.{INDEX}")

    def count(self, command: Sequence[str]) -> wire.Counts:
        """Run a client and return what passed through its door."""
        socket_path = os.path.join(self.server.host, f".s.PGSQL.{self.server.port}")
        counted: List[wire.Counts] = []
        with wire.door(socket_path, counted) as port:
            bench.run(command, self._environment(str(port)), self.directory)
        return counted[0]

    def _environment(self, port: str) -> Dict[str, str]:
        host, (_, role, password, sslmode) = "127.0.0.1", self.login
        return bench.environment(
            PYTHONPATH=str(self.project),
            DATABASE_URL=f"postgresql+psycopg2://{role}:{password}@{host}:{port}/{DATABASE}"
            f"?sslmode={sslmode}",
            PGHOST=host,
            PGPORT=port,
            PGDATABASE=DATABASE,
            PGUSER=role,
            PGPASSWORD=password,
            PGSSLMODE=sslmode,
            POSTGRES_HOST=host,
            POSTGRES_PORT=port,
            POSTGRES_DB=DATABASE,
            POSTGRES_USER=role,
            POSTGRES_PASSWORD=password,
            POSTGRES_SSLMODE=sslmode,
            ENABLE_PERFORMANCE_TEST="false",
        )

    def counts(self) -> Iterator[Tuple[str, wire.Counts]]:
        """Count every case, each in the state that the one before it left."""
        job = bench.job(self.project)
        self.fresh()
        yield "first run", self.count(job)
        yield "second run (quick look)", self.count(job)
        self.drop_index()
        yield "run after a dropped index", self.count(job)
        self.fresh()
        yield "psql -1 -f", self.count(bench.psql(self.server, self.script))
        self.fresh()
        yield "SQLAlchemy create_all", self.count([bench.PYTHON, "-c", bench.CREATE_ALL])


def logins(server: Server) -> List[Login]:
    """Return the ways in, after making a role that has to give its password (SCRAM)."""
    password = uuid.uuid4().hex
    create = f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'"
    bench.execute(server, server.database, "SET password_encryption = 'scram-sha-256'", create)
    rules = Path(str(bench.ask(server, "SHOW hba_file")))
    before = rules.read_text(encoding="utf-8")
    rules.write_text(f"local all {ROLE} scram-sha-256\n{before}", encoding="utf-8")
    bench.execute(server, server.database, "SELECT pg_reload_conf()")
    return [
        Login(f"{kind}, {sslmode}", role, secret, sslmode)
        for kind, role, secret in (("trust", server.user, "any"), ("SCRAM", ROLE, password))
        for sslmode in ("disable", "prefer")
    ]


def size(project: Path, directory: Path) -> str:
    """Return how large the models are."""
    ddl = bench.schema(directory, project)
    tables = sum(statement.startswith("CREATE TABLE") for statement in ddl)
    found = sum(statement.startswith(("CREATE INDEX", "CREATE UNIQUE")) for statement in ddl)
    return f"{tables} tables, {found} indexes"


def lines(
    server: Server, project: Path, directory: Path, ways: List[Login], *, trace: bool
) -> Iterator[Tuple[object, ...]]:
    """Yield the table's lines for a project: a case, its counts, its round trips for each login."""
    models = size(project, directory)
    columns = [list(Lab(server, project, directory, way).counts()) for way in ways]
    for cases in zip(*columns):
        (case, first), trips = cases[0], [len(counts.trips) for _, counts in cases]
        aim = AIMS.get(case)
        met = "" if aim is None else f"<= {aim}: {'met' if max(trips) <= aim else 'MISSED'}"
        counts = (first.connections, first.messages, first.statements)
        yield (models, case, *counts, *trips, met)
        if trace and case in AIMS:
            print(f"{models}, {case}, {ways[-1].title}:")
            for number, asked in enumerate(cases[-1][1].trips, 1):
                print(f"  {number:3}. {asked}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Count round trips on the wire.")
    parser.add_argument("--trace", action="store_true", help="print what each round trip asked")
    options = parser.parse_args()
    with bench.private_server("fsync=off") as server, bench.scratch() as directory:
        ways = logins(server)
        body: List[Tuple[object, ...]] = []
        with bench.scratch() as copy:
            for project in (bench.ROOT, bench.copied(copy, "indexes.py", AGAIN)):
                body += lines(server, project, directory, ways, trace=options.trace)
    head = ["models", "client", "connections", "messages", "statements"]
    print(table([*head, *(way.title for way in ways), "aim"], body))
    print(NOTE)


if __name__ == "__main__":
    main()
