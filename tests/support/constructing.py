"""A row of the table of constructs, tried: from empty, live, changed, rolled back."""

from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

from sqlalchemy import MetaData

from converge.errors import Refused, UnusableModels
from tests.support.construct import Construct, Models, bare
from tests.support.converging import Converging, create_all
from tests.support.database import Database, fresh_database
from tests.support.filling import fill
from tests.support.schema_dump import Contents, differences, dump

REFUSALS = (Refused, UnusableModels)
OK, REFUSED, NOT_TRIED = "ok", "refused", "-"
COLUMNS = ("empty", "verifies", "again", "live", "changed", "changed again", "rolled back")
# Tables go first: an index whose operator class is dropped along with it can't be opened any more.
EMPTIED = """DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT format('%I.%I', nspname, relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname !~ '^(pg_|information_schema)' LOOP
    EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', name);
  END LOOP;
  FOR name IN SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' LOOP
    EXECUTE format('DROP EXTENSION %I CASCADE', name);
  END LOOP;
  FOR name IN SELECT nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
END $$;
CREATE SCHEMA public"""
Facts = Set[Tuple[str, str, str]]


class Wrong(Exception):
    """What should not be."""


class Databases:
    """Databases that are used again and again: to empty one takes less than to create it."""

    def __init__(self, server: Dict[str, Any]) -> None:
        self.server = server
        self._kept, self._free = ExitStack(), []  # type: ExitStack, List[Database]

    @contextmanager
    def empty(self) -> Iterator[Database]:
        if not self._free:
            self._free.append(self._kept.enter_context(fresh_database(self.server)))
        database = self._free.pop()
        database.execute(EMPTIED)
        try:
            yield database
        finally:
            self._free.append(database)

    def close(self) -> None:
        self._kept.close()


class Trial:
    """A construct on a server; `results` has a word, or what is wrong, for each column."""

    def __init__(self, databases: Databases, construct: Construct) -> None:
        self.databases, self.construct = databases, construct
        self.results = dict.fromkeys(COLUMNS, NOT_TRIED)
        self._made: Dict[Models, Facts] = {}  # by SQLAlchemy alone

    def tried(self) -> Dict[str, str]:
        """Try it all, and return the results."""
        if self._lacking():
            self._note("empty", self._not_installed)
            return self.results
        self._note("verifies", self._verifies)
        with self._database(extended=False) as database:
            self._note("empty", lambda: self._created(database))
            if self.results["empty"] == OK:
                self._note("again", lambda: self._again(database, self.construct.first))
                if self.construct.then is not None:
                    self._change(database, self.construct.then)
        if self.results["empty"] == OK:
            self._note("live", self._live)
        return self.results

    def _lacking(self) -> List[str]:
        """Return the extensions that are not installed on this server."""
        with self._database(extended=False) as database:
            known = database.rows("SELECT name FROM pg_available_extensions")
            return [name for name in self.construct.extensions if (name,) not in known]

    def _not_installed(self) -> str:
        with self._database(extended=False) as database:
            said = "is not installed on the server"
            return self._run(database, self.construct.first, "1", said, "")

    @property
    def problems(self) -> List[str]:
        known = (OK, REFUSED, NOT_TRIED)
        return [f"{where}: {what}" for where, what in self.results.items() if what not in known]

    def _note(self, column: str, action: Callable[[], str]) -> None:
        try:
            self.results[column] = action()
        except Wrong as wrong:
            self.results[column] = str(wrong)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the table says
            self.results[column] = f"{type(error).__name__}: {error}".strip()

    def _created(self, database: Database) -> str:
        construct = self.construct
        refused = construct.then is None and construct.refused
        or_refused = construct.then is None and construct.or_refused
        word = self._run(database, construct.first, "1", refused or "", or_refused or "")
        if word == OK:
            _equal(dump(database), self._wanted(construct.first))
        return word

    def _again(self, database: Database, models: Models) -> str:
        plan = self._engine(database).plan(self._metadata(models))
        if plan.differences():
            raise Wrong("differs: " + "; ".join(plan.differences()))
        return OK

    def _verifies(self) -> str:
        """Compare with what SQLAlchemy alone has made."""
        construct, words = self.construct, []
        for models in filter(None, [construct.first, construct.then]):
            with self._database() as database:
                try:
                    create_all(database, self._metadata(models))
                except Exception:
                    if construct.refused or construct.or_refused:  # by SQLAlchemy too
                        return NOT_TRIED
                    raise
                self._made[models] = dump(database)
                try:
                    words.append(self._again(database, models))
                except REFUSALS as refusal:
                    _expect(refusal, construct.refused, construct.or_refused)
                    words.append(REFUSED)
        return words[-1]

    def _live(self) -> str:
        """Bring tables with rows to what the models say of their columns."""
        construct = self.construct
        with self._database() as database:
            try:
                create_all(database, bare(self._metadata(construct.first)))
            except Exception:  # noqa: BLE001 - it can't be without what is said of its columns
                return NOT_TRIED
            before = dump(database)
            if before == self._wanted(construct.first):
                return NOT_TRIED
            self._fill(database)
            rows = Contents(database)
            word = self._run(database, construct.first, "1", "", construct.or_refused)
            if word == OK:
                _equal(dump(database), self._wanted(construct.first))
                self._same(rows, database)
                return self._again(database, construct.first)
            return word

    def _change(self, database: Database, then: Models) -> None:
        construct = self.construct
        try:
            self._fill(database)
        except Exception as error:  # noqa: BLE001 - as above
            self.results["changed"] = f"no rows: {error}".strip()
            return
        before, rows = dump(database), Contents(database)

        def changed() -> str:
            word = self._run(database, then, "2", construct.refused, construct.or_refused)
            if word == OK:
                self._same(rows, database)
                if not database.value(construct.holds):
                    raise Wrong(f"does not hold: {construct.holds}")
                wanted, more = self._wanted(construct.ends_as or then), construct.leaves
                _equal(dump(database), wanted, more_is_right=more)
            return word

        self._note("changed", changed)
        if self.results["changed"] != REFUSED:
            self._note("changed again", lambda: self._again(database, then))
            self._note("rolled back", lambda: self._rolled_back(database, before, rows))

    def _rolled_back(self, database: Database, before: Facts, rows: Contents) -> str:
        changed, their = dump(database), Contents(database)
        if changed == before and not their.lost_in(rows):
            return NOT_TRIED
        try:
            self._engine(database).roll_back()
        except REFUSALS:
            _equal(dump(database), changed)
            self._same(their, database)
            return REFUSED
        self._as_before(database, before)
        self._same(rows, database)
        return OK

    def _as_before(self, database: Database, before: Facts) -> None:
        """What is back may be in the server's words for its own: as from a dump."""
        now = dump(database)
        if {"constraint"} <= {kind for kind, *_ in now ^ before} <= {"constraint", "index"}:
            assert self._again(database, self.construct.first) == OK
        else:
            _equal(now, before)

    def _run(
        self, database: Database, models: Models, version: str, refused: str, or_refused: str
    ) -> str:
        """Run the engine; return whether it was done or refused, as is right."""
        before, rows = dump(database), Contents(database)
        try:
            done = self._engine(database).run(self._metadata(models), version)
        except REFUSALS as refusal:
            _equal(dump(database), before)
            self._same(rows, database)
            _expect(refusal, refused, or_refused)
            return REFUSED
        if refused:
            raise Wrong(f"not refused: {'; '.join(done.steps)}")
        if done.left:
            raise Wrong("after the run: " + "; ".join(done.left))
        return OK

    def _same(self, rows: Contents, database: Database) -> None:
        lost = rows.lost_in(Contents(database)) if self.construct.rows_kept else []
        if lost:
            raise Wrong("; ".join(lost))

    def _fill(self, database: Database) -> None:
        if self.construct.rows is None:
            fill(database)
        else:
            database.execute(self.construct.rows)

    def _wanted(self, models: Models) -> Facts:
        if models not in self._made:
            with self._database() as database:
                create_all(database, self._metadata(models))
                self._made[models] = dump(database)
        return self._made[models]

    def _metadata(self, models: Models) -> MetaData:
        return self.construct.metadata(models)

    def _engine(self, database: Database) -> Converging:
        return Converging(database, self.construct.extensions, self.construct.schema)

    @contextmanager
    def _database(self, *, extended: bool = True) -> Iterator[Database]:
        with self.databases.empty() as database:
            for name in self.construct.extensions if extended else ():
                database.execute(f'CREATE EXTENSION "{name}"')
            database.execute(self.construct.before)
            yield database


def _expect(refusal: Exception, refused: str, or_refused: str) -> None:
    words = refused or or_refused
    if not words or words not in str(refusal):
        raise Wrong(f"refused: {refusal}")


def _equal(found: Facts, wanted: Facts, *, more_is_right: bool = False) -> None:
    different = differences(found, wanted, more_is_right=more_is_right)
    if different:
        raise Wrong("not equal: " + " | ".join(different))
