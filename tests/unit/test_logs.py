"""What a line of the log looks like."""

import io
import logging
import re
import sys
import warnings
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from converge.console import logs
from converge.events import about
from tests.support.log_lines import lines

log = logging.getLogger("eater.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger belongs to the whole process."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def test_a_text_line_has_the_time_the_level_and_the_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is all on stderr: stdout is for results."""
    logs.set_up("INFO", "text")
    log.info("table %s created", "dishes", extra=about("step_done", step="create_table"))
    log.warning("careful")
    printed = capsys.readouterr()
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    said = rf"{time} INFO  table dishes created\n{time} WARNING careful\n"
    assert re.fullmatch(said, printed.err)
    assert printed.out == ""


def test_the_time_is_utc(capsys: pytest.CaptureFixture[str]) -> None:
    """It can be laid next to the server's log."""
    logs.set_up("INFO", "text")
    record = log.makeRecord(log.name, logging.INFO, "", 0, "noon", (), None)
    record.created = 12 * 3600.0
    logging.getLogger().handle(record)
    assert capsys.readouterr().err == "1970-01-01T12:00:00Z INFO  noon\n"


def test_a_text_message_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is read by a person, and copied from."""
    logs.set_up("INFO", "text")
    log.error("refused: a\n  because\n    SELECT 1;")
    assert capsys.readouterr().err.endswith(" ERROR refused: a\n  because\n    SELECT 1;\n")


def test_a_json_line_has_the_same_and_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    """What a person reads from the message, a machine gets as fields."""
    logs.set_up("INFO", "json")
    subject = {"step": "create_table", "schema": "public", "object": "dishes", "duration_ms": 1.5}
    log.info("table %s\ncreated", "dishes", extra=about("step_done", **subject))
    (line,) = lines(capsys.readouterr().err)
    timestamp = line.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", timestamp)
    assert line == {
        "level": "INFO",
        "severity": "INFO",
        "logger": "eater-init",
        "message": "table dishes\ncreated",
        "event": "step_done",
        **subject,
    }


def test_what_a_library_says_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its level, and so is what Python warns of."""
    with warnings.catch_warnings():
        logging.captureWarnings(False)  # as in a process that has just begun
        logs.set_up("INFO", "json")
        logging.getLogger("other").log(35, "careful")
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    said, warned = lines(capsys.readouterr().err)
    assert (said["event"], said["source"], said["severity"]) == ("log", "other", "WARNING")
    assert (warned["source"], warned["level"]) == ("py.warnings", "WARNING")
    assert "DeprecationWarning: old" in warned["message"]


def test_a_json_time_is_utc_to_the_microsecond(capsys: pytest.CaptureFixture[str]) -> None:
    """A fraction that rounds up to a second is not a seventh digit."""
    logs.set_up("INFO", "json")
    for seconds in (12 * 3600.0, 12 * 3600 + 0.000042, 12 * 3600 - 1e-7):
        record = log.makeRecord(log.name, logging.INFO, "", 0, "noon", (), None)
        record.created = seconds
        logging.getLogger().handle(record)
    assert [line["timestamp"] for line in lines(capsys.readouterr().err)] == [
        "1970-01-01T12:00:00.000000+00:00",
        "1970-01-01T12:00:00.000042+00:00",
        "1970-01-01T12:00:00.000000+00:00",
    ]


def test_a_json_field_may_be_any_object(capsys: pytest.CaptureFixture[str]) -> None:
    """What JSON has no form for is there as its text; no line is lost."""
    logs.set_up("INFO", "json")
    log.info("read", extra=about("dotenv_read", file=Path("models.py")))
    (line,) = lines(capsys.readouterr().err)
    assert line["file"] == "models.py"


def test_an_exception_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Collectors take every line for an event of its own."""
    logs.set_up("INFO", "json")
    try:
        raise ZeroDivisionError("by\nzero")
    except ZeroDivisionError:
        log.exception("a bug")
    (line,) = lines(capsys.readouterr().err)
    assert (line["level"], line["message"]) == ("ERROR", "a bug")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ZeroDivisionError: by\nzero")


@pytest.mark.parametrize("text", ["größe 日本", "line\u2028separator", "\0\x1b[31m", "caf\udce9"])
def test_any_message_is_one_json_line(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Nothing in a name or a message of the server breaks the line."""
    logs.set_up("INFO", "json")
    log.info("%s", text)
    printed = capsys.readouterr().err
    assert printed.isascii()
    assert [line["message"] for line in lines(printed)] == [text]


@pytest.mark.parametrize(("level", "count"), [("DEBUG", 3), ("INFO", 2), ("ERROR", 1)])
def test_less_than_the_level_is_not_logged(
    capsys: pytest.CaptureFixture[str], level: str, count: int
) -> None:
    """LOG_LEVEL is the least that is shown."""
    logs.set_up(level, "text")
    log.debug("a")
    log.info("b")
    log.error("c")
    assert len(capsys.readouterr().err.splitlines()) == count


def test_a_second_set_up_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a message, in the format that was asked for last; other handlers stay."""
    root, other = logging.getLogger(), logging.NullHandler()
    root.addHandler(other)
    logs.set_up("INFO", "json")
    logs.set_up("INFO", "text")
    log.info("once")
    assert re.fullmatch(r"\S+ INFO  once\n", capsys.readouterr().err)
    assert other in root.handlers


def test_a_message_can_neither_forge_a_line_nor_command_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names come from the database, and whoever made them may have meant harm."""
    logs.set_up("INFO", "text")
    others = "12:00:00 INFO  done\ttoo\n1970-01-01T12:00:00Z INFO  done"
    log.info("table \x1b[2J\u202e\nwhich\n%s", others)
    assert capsys.readouterr().err.partition(" ")[2] == (
        "INFO  table \\x1b[2J\\u202e\nwhich\n"
        "  12:00:00 INFO  done\ttoo\n  1970-01-01T12:00:00Z INFO  done\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


NEITHER = {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm"}


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return what three lines of the log look like there, without their time."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, value in {**NEITHER, **environment}.items():
        monkeypatch.setenv(name, value)
    logs.set_up("INFO", "text")
    log.info("connected")
    log.warning("careful")
    logs.finish("done: nothing", 0)
    return re.sub(r"^\d\d:\d\d:\d\d ", "", terminal.getvalue(), flags=re.MULTILINE)


PLAIN = "INFO  connected\nWARNING careful\nINFO  done: nothing\n"
COLOURED = "INFO  connected\n\x1b[33mWARNING\x1b[0m careful\nINFO  \x1b[32mdone\x1b[0m: nothing\n"


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, COLOURED),
        ({"NO_COLOR": "1"}, PLAIN),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, PLAIN),
        ({"TERM": "dumb"}, PLAIN),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, COLOURED),
    ],
)
def test_a_terminal_shows_the_time_alone_and_colours(
    monkeypatch: pytest.MonkeyPatch, environment: Dict[str, str], shown: str
) -> None:
    """Whoever watches knows the date; https://no-color.org counts before all."""
    assert on_a_terminal(monkeypatch, **environment) == shown


def test_colours_can_be_forced_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some collectors show them: https://force-color.org."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    logs.set_up("INFO", "text")
    log.error("no")
    assert capsys.readouterr().err.endswith("Z \x1b[31mERROR\x1b[0m no\n")


@pytest.mark.parametrize(
    ("environment", "dotenv", "found"),
    [
        ("", "", ""),
        (" JSON", "LOG_FORMAT=text", "json"),
        ("", "LOG_FORMAT=json", "json"),
        ("", "# LOG_FORMAT=json\nexport LOG_FORMAT = 'json' # all", "json"),
        ("", 'not a line\nLOG_FORMAT=text\nLOG_FORMAT="JSON"\n', "json"),
        ("text", "LOG_FORMAT=json", "text"),
    ],
)
def test_the_format_is_known_before_the_settings_are_read(
    tmp_path: Path, environment: str, dotenv: str, found: str
) -> None:
    """A file of settings that cannot be read may have it all the same."""
    path = tmp_path / ".env"
    if dotenv:
        path.write_text(dotenv + "\n\udcff", "utf-8", "surrogateescape")
    assert logs.first_format({"LOG_FORMAT": environment}, str(path)) == found


def test_a_file_that_is_none_says_nothing_of_the_format(tmp_path: Path) -> None:
    """What is wrong with it is said later."""
    assert logs.first_format({}, str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("level", "format_", "shown"),
    [
        ("INFO", "text", ["done"]),
        ("ERROR", "text", []),
        ("INFO", "json", ["finished", "finished"]),
        ("ERROR", "json", ["finished", "finished"]),
    ],
)
def test_only_in_json_is_there_always_a_last_line(
    capsys: pytest.CaptureFixture[str], level: str, format_: str, shown: List[str]
) -> None:
    """A person has read the error; a machine looks for one event, whatever LOG_LEVEL is."""
    logs.set_up(level, format_)
    logs.finish("done", 0)
    logs.finish("", 4)
    printed = capsys.readouterr().err
    if format_ == "text":
        assert [line.split()[-1] for line in printed.splitlines()] == shown
    else:
        found = lines(printed)
        assert [line["event"] for line in found] == shown
        assert [line["exit_code"] for line in found] == [0, 4]
