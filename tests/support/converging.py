"""The real engine on any models, as `create_tables.py` runs it on the platform's."""

from contextlib import closing, contextmanager
from typing import Iterator, NamedTuple, Sequence, Tuple

import psycopg2.extensions
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from converge.compare.compare import make_plan
from converge.compare.desired import Desired
from converge.errors import Refused
from converge.plan import Plan
from converge.server.connection import Connection
from converge.server.inspect import inspect
from converge.server.retries import connect
from converge.settings.extension import Extension
from converge.settings.loading import load_settings
from converge.settings.variables import Settings
from tests.support.database import Database
from tests.support.runs import converge, roll_back


class Done(NamedTuple):
    """The steps that a run has done, and what a second look finds different."""

    steps: Tuple[str, ...]
    left: Tuple[str, ...]


class Converging:
    """Brings a database to models, of whose files `version` stands for the fingerprint."""

    def __init__(
        self, database: Database, extensions: Sequence[str] = (), schema: str = "public"
    ) -> None:
        self.extensions = [Extension(name) for name in extensions]
        variables = {**database.environment, "POSTGRES_SCHEMAS": schema}
        self.settings: Settings = load_settings(variables, "/nonexistent/.env")

    def plan(self, metadata: MetaData) -> Plan:
        """Return what a run would do. Raises `Refused` if no run can succeed."""
        with self._connected() as connection:
            facts = inspect(connection, self.settings, self.extensions, only_look=True)
            return make_plan(
                connection, facts, settings=self.settings, desired=self._desired(metadata)
            )

    def run(self, metadata: MetaData, version: str) -> Done:
        """Bring the database to the models, in one run. Raises `Refused` before any change."""
        with self._connected() as control:
            plan, left = converge(control, self.settings, self._desired(metadata), version)
        _refuse(plan)
        return Done(tuple(map(str, plan.steps)), left)

    def roll_back(self) -> None:
        """Undo the newest version. Raises `Refused` before any change."""
        with self._connected() as control:
            _refuse(roll_back(control, self.settings, self.extensions).plan)

    def _desired(self, metadata: MetaData) -> Desired:
        return Desired(metadata, extensions=self.extensions)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with closing(connect(self.settings)) as connection:
                yield connection
        finally:
            psycopg2.extensions.set_wait_callback(None)


def _refuse(plan: Plan) -> None:
    if plan.refusals:
        raise Refused("\n".join(map(str, plan.refusals)))


def create_all(database: Database, metadata: MetaData) -> None:
    """Let SQLAlchemy alone create all."""

    engine = create_engine(
        "postgresql+psycopg2://",
        creator=database.connect,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # as indexes may be made concurrently
    )
    metadata.create_all(engine)
    engine.dispose()
