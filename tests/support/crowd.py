"""Runs that start together, and what they say of themselves."""

import json
import time
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from tests.support import forked
from tests.support.database import Database

TIMEOUT_SECONDS = 300.0  # fifty processes on a busy machine take long to start
# Counts every change that stays, and is itself one of those event triggers that log DDL.
LOG_DDL = """
CREATE SCHEMA audit;
CREATE TABLE audit.ddl (command text);
CREATE FUNCTION audit.log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.ddl SELECT concat_ws(' ', command_tag, object_type, object_identity)
  FROM pg_event_trigger_ddl_commands();
END $$;
CREATE FUNCTION audit.log_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.ddl SELECT concat_ws(' ', tg_tag, object_type, object_identity)
  FROM pg_event_trigger_dropped_objects();
END $$;
CREATE FUNCTION audit.log_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.ddl VALUES (concat_ws(' ', tg_event, tg_tag));
END $$;
CREATE EVENT TRIGGER log_start ON ddl_command_start EXECUTE FUNCTION audit.log_event();
CREATE EVENT TRIGGER log_rewrite ON table_rewrite EXECUTE FUNCTION audit.log_event();
CREATE EVENT TRIGGER log_drop ON sql_drop EXECUTE FUNCTION audit.log_drop();
CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION audit.log_ddl();
"""


def logged_ddl(database: Database) -> List[str]:
    """Return what `LOG_DDL` has counted, in alphabetical order."""
    return [command for (command,) in database.rows("SELECT command FROM audit.ddl ORDER BY 1")]


class Crowd:
    """Runs of the job that start together, each in a directory of its own."""

    def __init__(self, directory: Path, environments: List[Dict[str, str]]) -> None:
        self._directories = [directory / f"run {number}" for number in range(len(environments))]
        self.processes: List[BaseProcess] = []
        for own, environment in zip(self._directories, environments):
            own.mkdir()
            words = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}
            self.processes.append(forked.start(own, {**environment, **words}))

    def join(self) -> List[Optional[int]]:
        """Wait for all; return their exit codes."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        for process in self.processes:
            process.join(max(0, deadline - time.monotonic()))
        return [process.exitcode for process in self.processes]

    def output(self) -> str:
        return "\n".join("".join(self._lines(own)) for own in self._directories)

    def log(self) -> List[Dict[str, Any]]:
        """Return what all have logged so far, in the order of time."""
        found = [json.loads(line) for own in self._directories for line in self._lines(own)]
        return sorted(found, key=lambda record: str(record["timestamp"]))

    def count(self, words: str) -> int:
        """Return how many lines of the logs contain these words."""
        return sum(words in record["message"] for record in self.log())

    def done(self, step: str) -> int:
        """Return how many steps of a kind were done."""
        found = [record for record in self.log() if record["event"] == "step_done"]
        return sum(record["step"] == step for record in found)

    def worker(self) -> BaseProcess:
        """Wait until one has a plan and begins to apply it; return its process."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for own, process in zip(self._directories, self.processes):
                if any(" to do" in line for line in self._lines(own)) and process.is_alive():
                    return process
            time.sleep(0.02)
        raise AssertionError(self.output())

    def work_seconds(self) -> float:
        """Return for how long there was work: from the first plan to the last verification."""
        if not self._times("plan"):
            return 0.0
        return max(self._times("verify")) - min(self._times("plan", began=True))

    def longest_wait(self) -> float:
        """Return the seconds from the end of the work until the last one had noticed it."""
        return max(0.0, max(self._times("lock")) - max(self._times("verify")))

    def _times(self, step: str, *, began: bool = False) -> List[float]:
        """Return when the runs that came to a step of the flow had done it, or began."""
        return [
            datetime.fromisoformat(record["timestamp"]).timestamp()
            - began * record["duration_ms"] / 1000
            for record in self.log()
            if record.get("step") == step and record["message"].startswith("step ")
        ]

    def _lines(self, own: Path) -> Iterator[str]:
        """Yield the lines that are complete and that the log has: the summary is none of them."""
        try:
            text = (own / "output").read_text("utf-8")
        except FileNotFoundError:
            return
        yield from (
            line for line in text.splitlines(True) if line.startswith("{") and line.endswith("\n")
        )
