"""What a line of the log looks like."""

import json
import logging
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from converge.console import logs

log = logging.getLogger("eater.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger belongs to the whole process."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def objects(text: str) -> List[Dict[str, Any]]:
    """Read one JSON object from each line."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_text_line_has_the_time_the_level_and_the_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is all on stderr: stdout is for results."""
    logs.set_up("INFO", "text")
    log.info("table %s created", "dishes", extra={"step": "apply"})
    log.warning("careful")
    printed = capsys.readouterr()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO  table dishes created\n\d\d:\d\d:\d\d WARNING careful\n", printed.err
    )
    assert printed.out == ""


def test_the_time_is_utc(capsys: pytest.CaptureFixture[str]) -> None:
    """It can be laid next to the server's log."""
    logs.set_up("INFO", "text")
    record = log.makeRecord(log.name, logging.INFO, "", 0, "noon", (), None)
    record.created = 12 * 3600.0
    logging.getLogger().handle(record)
    assert capsys.readouterr().err == "12:00:00 INFO  noon\n"


def test_a_text_message_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is read by a person, and copied from."""
    logs.set_up("INFO", "text")
    log.error("refused: a\n  because\n    SELECT 1;")
    assert capsys.readouterr().err.endswith(" ERROR refused: a\n  because\n    SELECT 1;\n")


def test_a_json_line_has_the_same_and_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    """What a person reads from the message, a machine gets as fields."""
    logs.set_up("INFO", "json")
    about = {"step": "apply", "schema": "public", "object": "dishes", "duration_ms": 1.5}
    log.info("table %s\ncreated", "dishes", extra=about)
    (line,) = objects(capsys.readouterr().err)
    timestamp = line.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", timestamp)
    assert line == {
        "level": "INFO",
        "logger": "eater.test",
        "message": "table dishes\ncreated",
        **about,
    }


def test_a_json_time_is_utc_to_the_microsecond(capsys: pytest.CaptureFixture[str]) -> None:
    """A fraction that rounds up to a second is not a seventh digit."""
    logs.set_up("INFO", "json")
    for seconds in (12 * 3600.0, 12 * 3600 + 0.000042, 12 * 3600 - 1e-7):
        record = log.makeRecord(log.name, logging.INFO, "", 0, "noon", (), None)
        record.created = seconds
        logging.getLogger().handle(record)
    assert [line["timestamp"] for line in objects(capsys.readouterr().err)] == [
        "1970-01-01T12:00:00.000000+00:00",
        "1970-01-01T12:00:00.000042+00:00",
        "1970-01-01T12:00:00.000000+00:00",
    ]


def test_a_json_field_may_be_any_object(capsys: pytest.CaptureFixture[str]) -> None:
    """What JSON has no form for is there as its text; no line is lost."""
    logs.set_up("INFO", "json")
    log.info("read", extra={"object": Path("models.py")})
    (line,) = objects(capsys.readouterr().err)
    assert line["object"] == "models.py"


def test_an_exception_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Collectors take every line for an event of its own."""
    logs.set_up("INFO", "json")
    try:
        raise ZeroDivisionError("by\nzero")
    except ZeroDivisionError:
        log.exception("a bug")
    (line,) = objects(capsys.readouterr().err)
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
    assert [line["message"] for line in objects(printed)] == [text]


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
    logging.getLogger("test").info("table \x1b[2J\u202e\nwhich\n12:00:00 INFO  done\ttoo")
    assert capsys.readouterr().err[9:] == (
        "INFO  table \\x1b[2J\\u202e\nwhich\n  12:00:00 INFO  done\ttoo\n"
    )
