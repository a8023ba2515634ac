"""What the benchmarks share: a private server, fresh databases, the job and its rivals.

They run by hand, from the project's directory: `python benchmarks/round_trips.py`. Each starts an
embedded server of its own in a temporary directory and removes it; nothing leaves this machine.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence

import psycopg2
import psycopg2.extensions

from tools import embedded
from tools.embedded import Server

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable

# Both run with a project in PYTHONPATH. The statements are told apart by a NUL byte.
PRINT_DDL = """
import sys
import chater, indexes, models
from converge.compare.desired import Desired
desired = Desired(
    models.Base.metadata,
    indexes=indexes.INDEXES,
    extensions=chater.EXTENSIONS,
    backfills={variable.field: variable.default for variable in chater.VARIABLES},
)
statements = ["CREATE EXTENSION pg_trgm"]
statements += [sql for creation in desired.create_all(sys.argv[1]) for sql in creation.statements]
print("\\0".join(statements), end="")
"""
CREATE_ALL = """
import os
from sqlalchemy import create_engine, text
import indexes, models
engine = create_engine(os.environ["DATABASE_URL"])
with engine.begin() as connection:
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    models.Base.metadata.create_all(connection)
"""


@contextmanager
def private_server(*options: str) -> Iterator[Server]:
    """Start a server in a temporary directory; stop it and remove the directory afterwards."""
    directory = tempfile.mkdtemp(prefix="eater-init-bench-")
    try:
        yield embedded.start(directory, options=options)
    finally:
        embedded.stop(directory)
        shutil.rmtree(directory)


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a temporary directory, in which there is no `.env`; remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="eater-init-bench-") as directory:
        yield Path(directory)


def connect(server: Server, database: str) -> "psycopg2.extensions.connection":
    """Open a connection in autocommit mode, straight to the socket."""
    connection = psycopg2.connect(host=server.host, user=server.user, dbname=database)
    connection.autocommit = True
    return connection


def execute(server: Server, database: str, *statements: str) -> None:
    """Run each statement in a transaction of its own."""
    with closing(connect(server, database)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def ask(server: Server, question: str) -> object:
    """Return the one value that a query gives."""
    with closing(connect(server, server.database)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()[0][0]


def fresh(server: Server, database: str, *, owner: str = "", like: str = "template0") -> str:
    """Make the database anew, as a copy of `like`; return its name."""
    create = f"CREATE DATABASE {database} OWNER {owner or server.user} TEMPLATE {like}"
    execute(server, server.database, f"DROP DATABASE IF EXISTS {database}", create)
    return database


def environment(**variables: str) -> Dict[str, str]:
    """Return this process's environment without what configures the job, libpq or Python."""
    ours = ("POSTGRES_", "PG", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **variables}


def job_environment(server: Server, database: str, **variables: str) -> Dict[str, str]:
    """Return the environment of a run of the job, with the key queries off unless told."""
    where = {**server.environment(), "POSTGRES_DB": database}
    return environment(**{**where, "ENABLE_PERFORMANCE_TEST": "false", **variables})


def copied(directory: Path, file: str, more: str) -> Path:
    """Copy the project's modules; one file of the copy has more at its end. Return where."""
    for path in ROOT.glob("*.py"):
        shutil.copy(path, directory)
    shutil.copytree(ROOT / "converge", directory / "converge")
    with open(directory / file, "a", encoding="utf-8") as copy:
        copy.write(more)
    return directory


def job(project: Path = ROOT) -> List[str]:
    """Return the command that runs the job of a project's directory."""
    return [PYTHON, str(project / "create_tables.py")]


def run(
    command: Sequence[str],
    variables: Dict[str, str],
    directory: Path,
    *,
    log: Optional[int] = subprocess.PIPE,
) -> str:
    """Run a command to its end, which has to be a good one; return what it printed.

    `log` is where its stderr goes, by default into the message if it fails.
    """
    done = subprocess.run(
        list(command),
        env=variables,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def schema(directory: Path, project: Path = ROOT, *, place: str = "public") -> List[str]:
    """Return the DDL of a project's models in a schema, in SQLAlchemy's words."""
    command = [PYTHON, "-c", PRINT_DDL, place]
    return run(command, environment(PYTHONPATH=str(project)), directory).split("\0")


def psql(server: Server, script: Path) -> List[str]:
    """Return the command that runs a script in one transaction; where is told by PG variables."""
    program = server.psql()[0]  # the wheel's own
    if not os.path.exists(program):
        program = shutil.which("psql") or "psql"
    # -X: no .psqlrc; -q and the setting: it prints as little as the others do.
    return [program, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(script)]


def write_script(path: Path, statements: Iterable[str]) -> Path:
    """Write statements as a file for psql, one at a time.

    What this process holds counts as the memory of those that it starts: Linux hands the highest
    size down to a child.
    """
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{statement};\n" for statement in statements)
    return path
