"""The embedded PostgreSQL, whatever server the other tests use."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator

import psycopg2
import psycopg2.extensions
import pytest

from converge.errors import ConfigurationError
from converge.settings.loading import load_settings
from tools import embedded

ROOT = Path(embedded.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel() -> None:
    """The only thing in the project that Python 3.8 cannot have."""
    if sys.version_info < (3, 9):
        pytest.skip("there is no embedded PostgreSQL for Python 3.8")


@pytest.fixture(scope="module")
def directory(wheel: None) -> Iterator[str]:
    """A directory with a blank and a quote in its name, that is not there yet."""
    parent = tempfile.mkdtemp(prefix="eater-init-tests-")
    inside = os.path.join(parent, "it's a directory")
    yield inside
    embedded.stop(inside)
    shutil.rmtree(parent)


def answer(server: embedded.Server, query: str) -> object:
    """Ask a server by the settings that a run would have."""
    settings = load_settings(server.environment(), os.path.join(server.host, "none"))
    psycopg2.extensions.set_wait_callback(None)  # the job sets one, for the whole process
    connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password,
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(query)
        ((value,),) = cursor.fetchall()
    connection.close()
    return value


def test_it_is_created_with_utf8_and_started(directory: str) -> None:
    """Under the locale C, pg_trgm would drop every letter that is not ASCII."""
    server = embedded.start(directory, options=["fsync=off"])
    assert answer(server, "SHOW server_encoding") == "UTF8"
    assert answer(server, "SHOW fsync") == "off"
    locale = "SELECT datctype FROM pg_database WHERE datname = 'template1'"
    assert answer(server, locale) == embedded.LOCALE
    answer(server, "CREATE EXTENSION pg_trgm; SELECT 1")
    assert answer(server, "SELECT cardinality(show_trgm('привет'))") == 7


def test_psql_opens_its_database(directory: str) -> None:
    """With the arguments that are given."""
    opened = [sys.executable, "-m", "tools.embedded", "psql", directory, "-Atc", "SELECT 6 * 7"]
    done = subprocess.run(opened, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "42\n"


@pytest.mark.usefixtures("wheel")
def test_without_file_locks_it_says_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert embedded.main(["start", str(tmp_path)]) == 2
    assert "On Windows, do this in WSL" in capsys.readouterr().err


def test_a_second_start_finds_it_running(directory: str) -> None:
    """It is the same process, as it was started first."""
    first = embedded.start(directory)
    born = answer(first, "SELECT pg_postmaster_start_time()")
    assert embedded.start(directory, options=["fsync=on"]) == first
    assert answer(first, "SELECT pg_postmaster_start_time()") == born


def test_nobody_else_may_connect(directory: str) -> None:
    """It asks for no password, so the way to its socket is closed, and there is no other."""
    server = embedded.start(directory)
    assert os.stat(server.host).st_mode & 0o077 == 0
    assert answer(server, "SHOW listen_addresses") == ""


def test_the_command_says_how_to_connect(
    directory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that it prints can be pasted."""
    assert embedded.main(["start", directory]) == 0
    title, command = capsys.readouterr().out.splitlines()
    assert title == "PostgreSQL is running. Connect with:"
    words = [*shlex.split(command), "-XAtc", "SELECT 1"]
    done = subprocess.run(words, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    assert done.stdout == "1\n"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Dict[str, str]:
    """An environment that leads to another server, in a directory without a `.env`."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("POSTGRES_")},
        "POSTGRES_HOST": "nowhere.invalid",
        "POSTGRES_PASSWORD_FILE": "/none",
        "POSTGRES_SCHEMAS": "trial",
    }
    monkeypatch.setattr(os, "environ", variables)
    monkeypatch.chdir(tmp_path)
    return variables


def test_the_job_runs_on_it(
    directory: str, environment: Dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever other server the environment names; its other settings count."""
    assert embedded.main(["run", directory]) == 0
    printed = capsys.readouterr()
    server = embedded.start(directory)
    assert printed.err.endswith(
        "done: changes were made\n\n"
        f"The server keeps running; connect with:\n  {server.command()}\n"
    )
    assert "trial " in printed.out
    assert answer(server, "SELECT count(*) FROM trial.dishes") == 0


def test_the_job_has_its_arguments_and_its_exit_code(
    directory: str, environment: Dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--verify` finds a difference, and the server that has it stays for a look."""
    assert embedded.main(["run", directory]) == 0
    server = embedded.start(directory)
    answer(server, "DROP INDEX trial.idx_weight_date; SELECT 1")
    assert embedded.main(["run", directory, "--verify"]) == 5
    assert capsys.readouterr().err.endswith(f"connect with:\n  {server.command()}\n")
    assert embedded.main(["run", directory, "--nonsense"]) == 2


def test_stop_stops_it_and_keeps_the_data(
    directory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next start goes on where this one ended."""
    answer(embedded.start(directory), "CREATE TABLE kept (); SELECT 1")
    assert embedded.main(["stop", directory]) == 0
    assert embedded.main(["stop", directory]) == 0
    assert capsys.readouterr().out == (
        f"PostgreSQL in {directory}: stopped\nPostgreSQL in {directory}: was not running\n"
    )
    assert answer(embedded.start(directory), "SELECT count(*) FROM kept") == 0


def test_a_creation_that_was_cut_short_is_begun_anew(directory: str) -> None:
    """What a killed initdb leaves behind is not taken for a cluster."""
    embedded.start(directory)
    embedded.stop(directory)
    os.rename(os.path.join(directory, "data"), os.path.join(directory, "data.new"))
    os.remove(os.path.join(directory, "data.new", "postgresql.conf"))
    assert answer(embedded.start(directory), "SELECT 1") == 1


@pytest.mark.parametrize("name", ["l" * 120, "a,b"], ids=["long", "comma"])
def test_a_path_that_no_socket_can_have_works(directory: str, name: str) -> None:
    """The socket then has a directory of its own, as private, and gone after the stop."""
    inside = os.path.join(os.path.dirname(directory), name)
    server = embedded.start(inside)
    assert answer(server, "SELECT 1") == 1
    assert server.host != inside
    assert os.stat(server.host).st_mode & 0o077 == 0
    assert embedded.stop(inside)
    assert not os.path.exists(server.host)


def test_a_server_that_does_not_start_shows_its_log(
    directory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is in the message, with exit code 3."""
    embedded.start(directory)
    embedded.stop(directory)
    Path(directory, "data", "postgresql.conf").write_text("no_such_setting = 1\n", encoding="utf-8")
    assert embedded.main(["start", directory]) == 3
    printed = capsys.readouterr().err
    assert f"did not start. The end of {os.path.realpath(directory)}/log:\n" in printed
    assert 'unrecognized configuration parameter "no_such_setting"' in printed
    assert f"remove {os.path.realpath(directory)} to begin anew." in printed


def test_a_directory_with_something_else_in_it_is_refused(wheel: None, tmp_path: Path) -> None:
    """It would be closed to everyone else, and as root given away."""
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    before = tmp_path.stat()
    with pytest.raises(ConfigurationError) as caught:
        embedded.start(str(tmp_path))
    assert str(caught.value) == (
        f"The embedded PostgreSQL cannot use the directory {tmp_path}: it holds something else.\n"
        "  Give it one that is new, empty, or its own from before."
    )
    assert (tmp_path.stat().st_mode, tmp_path.stat().st_uid) == (before.st_mode, before.st_uid)


@pytest.mark.parametrize("action", ["start", "run"])
def test_without_the_wheel_it_says_what_to_do(tmp_path: Path, action: str) -> None:
    """Python 3.8 has none; -S hides that of the others."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tools.embedded", action, str(tmp_path / "pg")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2
    way = "Install it: python -m pip install -r requirements-embedded.txt"
    if sys.version_info < (3, 9):
        way = "With a newer one: make clean, then make run PYTHON=python3.9 (or what you have)"
    assert done.stderr == (
        "There is no embedded PostgreSQL here: it needs Python 3.9 or newer (this is "
        f"{sys.version_info[0]}.{sys.version_info[1]}) and its package.\n"
        f"  {way}\n"
        "  Or use a server of your own: set POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER and "
        "POSTGRES_PASSWORD.\n"
    )
    assert not (tmp_path / "pg").exists()


def test_an_old_python_is_told_how_to_use_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second `make run` would take the same `.venv`."""
    monkeypatch.setattr(sys, "version_info", (3, 8, 18, "final", 0))
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError) as caught:
        embedded.program("psql")
    first, way, _ = str(caught.value).splitlines()
    assert first.endswith("it needs Python 3.9 or newer (this is 3.8) and its package.")
    assert way.startswith("  With a newer one: make clean, then make run PYTHON=python3.9 ")


@pytest.mark.parametrize("words", ["", "run", "restart it", "start it now"])
def test_a_wrong_command_line_shows_the_right_one(
    capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """Exit code 2, as everywhere."""
    assert embedded.main(words.split()) == 2
    assert capsys.readouterr().err == (
        "usage: python -m tools.embedded start|stop DIRECTORY\n"
        "       python -m tools.embedded run DIRECTORY [arguments of create_tables.py]\n"
        "       python -m tools.embedded psql DIRECTORY [arguments of psql]\n"
    )
