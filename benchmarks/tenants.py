"""What a run costs with many schemas: `python benchmarks/tenants.py [50 200 1000 10000]`.

Beside the job: one set-based query that hashes the raw columns of the catalog, by schema; psql with
the same DDL on one connection, a transaction a schema; SQLAlchemy's `create_all` for each schema.
With `--plain`, psql makes the schemas, and the job's first run adopts them; with `--alone`, the job
makes them, beside nothing: sooner at 10,000.
"""

import argparse
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks import bench, wire
from converge.text import table
from tools.embedded import Server

DATABASE, PLACE = "tenants", "tenant_in_place"
SIZES = [50, 200, 1000]
COLUMN = """
import sqlalchemy as _sql
Weight.mood = _sql.Column(_sql.String)
"""  # behind the models: a column more everywhere
CREATE_ALL = """
import os
from sqlalchemy import create_engine, text
from sqlalchemy.schema import CreateSchema
import indexes, models
engine = create_engine(os.environ["SQLALCHEMY_URL"])
for name in open(os.environ["POSTGRES_SCHEMAS_FILE"]).read().split():
    with engine.begin() as connection:
        connection.execute(CreateSchema(name))
        models.Base.metadata.create_all(
            connection.execution_options(schema_translate_map={None: name}))
"""
# What a look at raw columns costs: no name is looked up, and nothing is put into words.
RAW = """WITH asked AS (SELECT oid, nspname FROM pg_namespace WHERE nspname LIKE 'tenant%'),
relations AS (SELECT c.* FROM pg_class c JOIN asked n ON n.oid = c.relnamespace),
facts AS (
  SELECT relnamespace, ROW(relname, relkind, relpersistence, reloptions)::text AS fact
  FROM relations
  UNION ALL SELECT relnamespace, ROW(relname, attname, attnum, atttypid, atttypmod, attnotnull,
    attidentity, attgenerated, attcollation)::text
  FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid WHERE attnum > 0
  UNION ALL SELECT relnamespace, ROW(relname, adnum, adbin)::text
  FROM relations c JOIN pg_attrdef d ON d.adrelid = c.oid
  UNION ALL SELECT relnamespace, ROW(relname, indkey, indclass, indcollation, indoption,
    indisunique, indisvalid, indexprs, indpred)::text
  FROM relations c JOIN pg_index i ON i.indexrelid = c.oid
  UNION ALL SELECT relnamespace, ROW(relname, conname, contype, conkey, confkey, conbin)::text
  FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid)
SELECT nspname, md5(string_agg(fact, ',' ORDER BY fact COLLATE "C"))
FROM facts JOIN asked ON asked.oid = relnamespace GROUP BY nspname"""
HEAD = ("schemas", "what", "wall s", "client CPU s", "client MB", "round trips")
NOTE = """
Everything but the raw query passes a door that counts, on this machine and in Python: it takes its
share of the wall. The server's CPU is not the client's."""


class Cost(NamedTuple):
    """What a client has cost."""

    wall: float
    cpu: float
    megabytes: float
    trips: int

    def row(self, count: int, what: str) -> Sequence[object]:
        memory = f"{self.megabytes:.0f}" if self.megabytes else ""
        return (
            f"{count:,}",
            what,
            f"{self.wall:.2f}",
            f"{self.cpu:.2f}",
            memory,
            f"{self.trips:,}",
        )


class Lab:
    """A server and so many schemas."""

    def __init__(self, server: Server, directory: Path, count: int) -> None:
        self.server, self.directory, self.count = server, directory, count
        self.names = [f"tenant_{number:05}" for number in range(1, count + 1)]
        self.listed = directory / "schemas"
        self.listed.write_text("".join(f"{name}\n" for name in self.names))

    def fresh(self) -> None:
        bench.fresh(self.server, DATABASE)
        bench.execute(self.server, DATABASE, "CREATE EXTENSION pg_trgm")

    def script(self) -> Path:
        """Write the DDL of all schemas, a transaction each, for psql."""
        statements = [s for s in bench.schema(self.directory, place=PLACE) if "EXTENSION" not in s]
        whole = ";\n".join(["BEGIN", f"CREATE SCHEMA {PLACE}", *statements, "COMMIT"])
        return bench.write_script(
            self.directory / "schemas.sql", (whole.replace(PLACE, name) for name in self.names)
        )

    def raw(self) -> Cost:
        with closing(bench.connect(self.server, DATABASE)) as connection:
            started, cpu = time.perf_counter(), time.process_time()
            with connection.cursor() as cursor:
                cursor.execute(RAW)
                assert len(cursor.fetchall()) == self.count
        return Cost(time.perf_counter() - started, time.process_time() - cpu, 0, 1)

    def cost(self, command: Sequence[str], project: Path = bench.ROOT) -> Cost:
        """Run a client to its good end."""
        counted: List[wire.Counts] = []
        socket_path = os.path.join(self.server.host, f".s.PGSQL.{self.server.port}")
        with wire.door(socket_path, counted) as port, open(self.directory / "log", "wb") as log:
            started = time.perf_counter()
            variables = self._environment(str(port), project)
            process = subprocess.Popen(
                list(command), env=variables, cwd=self.directory, stdout=log, stderr=log
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
        process.returncode = status
        if status:
            raise SystemExit(f"{command}:\n{(self.directory / 'log').read_text()[-2000:]}")
        scale = 1024 * 1024 if sys.platform == "darwin" else 1024
        used_cpu = used.ru_utime + used.ru_stime
        return Cost(wall, used_cpu, used.ru_maxrss / scale, len(counted[0].trips))

    def _environment(self, port: str, project: Path) -> Dict[str, str]:
        host, user = "127.0.0.1", self.server.user
        return bench.environment(
            POSTGRES_USER=user,
            POSTGRES_PASSWORD=self.server.environment()["POSTGRES_PASSWORD"],
            PYTHONPATH=str(project),
            SQLALCHEMY_URL=f"postgresql+psycopg2://{user}@{host}:{port}/{DATABASE}?sslmode=disable",
            PGHOST=host,
            PGPORT=port,
            PGDATABASE=DATABASE,
            PGUSER=user,
            POSTGRES_HOST=host,
            POSTGRES_PORT=port,
            POSTGRES_DB=DATABASE,
            POSTGRES_SSLMODE="disable",
            POSTGRES_SCHEMAS_FILE=str(self.listed),
            ENABLE_PERFORMANCE_TEST="false",
        )

    def costs(self, changed: Path, how: str) -> Iterator[Sequence[object]]:
        """Yield the table's lines; each case finds what the one before it left."""

        def line(what: str, cost: Cost) -> Sequence[object]:
            return cost.row(self.count, what)

        psql, job = bench.psql(self.server, self.script()), bench.job()
        psql.remove("-1")
        self.fresh()
        if how == "beside":
            yield line("SQLAlchemy create_all", self.cost([bench.PYTHON, "-c", CREATE_ALL]))
            self.fresh()
        if how != "alone":
            yield line("psql, the same DDL", self.cost(psql))
        if how == "beside":
            self.fresh()
        yield line("run that adopts them" if how == "plain" else "first run", self.cost(job))
        bench.execute(self.server, DATABASE, "VACUUM ANALYZE")
        yield line("raw query", self.raw())
        yield line("nothing to do (look)", self.cost(job))
        yield line("verification", self.cost([*job, "--verify"]))
        yield line("a column everywhere", self.cost(bench.job(changed), changed))
        yield line("nothing to do (look)", self.cost(bench.job(changed), changed))
        with open(self.listed, "w", encoding="utf-8") as file:
            file.write(self.names[0])
        yield line("one of them, nothing to do", self.cost(bench.job(changed), changed))


def main() -> None:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(description="What a run costs with many schemas.")
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="schemas")
    for how, what in (("plain", "let psql make the schemas"), ("alone", "measure the job only")):
        parser.add_argument(f"--{how}", dest="how", action="store_const", const=how, help=what)
    options = parser.parse_args()
    body: List[Sequence[object]] = []
    with bench.private_server("fsync=off") as server, bench.scratch() as copy:
        changed = bench.copied(copy, "models.py", COLUMN)
        for count in options.sizes:
            with bench.scratch() as directory:
                for line in Lab(server, directory, count).costs(changed, options.how or "beside"):
                    print(*line, sep="  ", file=sys.stderr, flush=True)
                    body.append(line)
    print(table(HEAD, body))
    print(NOTE)


if __name__ == "__main__":
    main()
