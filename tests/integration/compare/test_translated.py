"""A server whose messages are German gives the same plans: nothing reads its texts back."""

import re
from typing import Any, Dict, Iterator, List

import pytest
from psycopg2 import errors

from tests.support.database import Database, fresh_database
from tests.support.earlier import GROWN_APART, STATES, State, lasting, rows
from tests.support.job import Result, Run
from tests.support.translated import HOW_TO_GET_ONE, programs
from tools.servers import GERMAN, german

NOTHING = {GERMAN: "Relation »nichts« existiert nicht", "C": 'relation "nichts" does not exist'}
WIDENED = (
    "CREATE TABLE people (email varchar(255) PRIMARY KEY); CREATE TABLE weight (time integer, "
    "date varchar, weight float, user_email varchar(255) CONSTRAINT theirs REFERENCES people)"
)
IN_THE_WAY = (
    "CREATE TABLE weight (time integer, date date, weight real, user_email varchar, "
    "twice real GENERATED ALWAYS AS (weight * 2) STORED); "
    "CREATE POLICY lately ON weight USING (date > '2024-11-08')"
)
ALTERED_BY_HAND = next(state for state in STATES if state.name == "altered_by_hand")
RECORDED = "SELECT run, version, action, finished, steps::text FROM eater_schema_history ORDER BY 1"
# What a refusal quotes is in the server's language.
QUOTED = re.compile(r"(?<=\n--   )The server says: .*")


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Dict[str, Any]]:
    """A server that speaks German, of those programs of Debian's that have translations."""
    if request.config.getoption("--without-translations"):
        pytest.skip("--without-translations")
    found = programs()
    if found is None:
        pytest.fail(HOW_TO_GET_ONE, pytrace=False)
    with german(found) as port:
        yield {"host": "127.0.0.1", "port": port, "user": "postgres", "database": "postgres"}


def speak(database: Database, language: str) -> None:
    """Let a database have messages in a language from now on, and make sure that it has."""
    database.execute(f"ALTER DATABASE {database.name} SET lc_messages = '{language}'")
    database.close()
    with pytest.raises(errors.UndefinedTable) as error:
        database.execute("SELECT FROM nichts")
    assert NOTHING[language] in str(error.value)


def plans(database: Database, run: Run, **variables: str) -> List[Result]:
    """Return the plan of a database in German, and in English."""
    found = []
    for language in NOTHING:
        speak(database, language)
        found.append(run("--plan", **variables))
    return found


@pytest.mark.long
@pytest.mark.parametrize("state", [*STATES, GROWN_APART], ids=lambda state: state.name)
def test_a_plan_is_the_same_in_german(database: Database, run: Run, state: State) -> None:
    """Every statement, step and refusal; only what a refusal quotes is in another language."""
    state.load(database)
    in_german, in_english = plans(database, run, POSTGRES_SCHEMAS=state.setting)
    assert in_german.code == in_english.code == (4 if state is GROWN_APART else 0)
    assert QUOTED.sub("", in_german.out) == QUOTED.sub("", in_english.out)


def test_a_type_is_widened_under_a_foreign_key(database: Database, run: Run) -> None:
    """The server would describe the key as a "Constraint theirs für Tabelle weight"."""
    database.execute(WIDENED)
    in_german, in_english = plans(database, run)
    assert (in_german.code, in_german.out) == (0, in_english.out)
    statement = "ALTER TABLE public.weight ALTER COLUMN user_email TYPE character varying USING "
    assert statement in in_german.out


def test_a_refusal_quotes_the_server(database: Database, run: Run) -> None:
    """In its language, which is the one that its administrators have chosen."""
    database.execute(IN_THE_WAY)
    in_german, in_english = plans(database, run)
    assert "\n--   It is used by policy lately on public.weight.\n" in in_german.out
    assert "\n--   The server says: Typ einer Spalte, die von einer generierten " in in_german.out
    assert QUOTED.sub("", in_german.out) == QUOTED.sub("", in_english.out)


def test_another_language_is_no_change(database: Database, run: Run) -> None:
    """A role or a server that gets other messages still finds what was verified."""
    ALTERED_BY_HAND.load(database)
    speak(database, GERMAN)
    assert run().code == 0
    speak(database, "C")
    assert "schema is current" in run().err


def modes(database: Database, run: Run) -> Iterator[Any]:
    """Yield what each mode leaves: the catalog, every row, and what is recorded."""
    ALTERED_BY_HAND.load(database)
    for mode in ([], ["--verify"], ["--rollback"]):
        code = run(*mode, POSTGRES_DB=database.name).code
        left = lasting(database, ALTERED_BY_HAND), rows(database, ALTERED_BY_HAND)
        yield code, left, database.rows(RECORDED)


@pytest.mark.long
def test_a_whole_run_ends_the_same_in_german(server: Dict[str, Any], run: Run) -> None:
    """It is applied, verified and rolled back."""
    ended = []
    for language in NOTHING:
        with fresh_database(server) as database:
            speak(database, language)
            ended.append(list(modes(database, run)))
    assert [code for code, _, _ in ended[0]] == [0, 0, 0]
    assert ended[0] == ended[1]
