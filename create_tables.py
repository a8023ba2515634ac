"""Bring a PostgreSQL database to the state that the models describe, prove it, and exit.

What every option, variable and exit code means stands in README.md.
"""

import argparse
import logging
import os
import signal
import sys
from contextlib import closing, contextmanager
from types import FrameType
from typing import Iterator, List, Optional

from converge import run
from converge.console import advice, logs
from converge.console import summary as report
from converge.errors import EaterInitError, Refused, Terminated, VerificationFailed
from converge.history import journal as history
from converge.plan import Plan, render
from converge.server import connection as database
from converge.server import inspect as preflight
from converge.server.connection import Connection
from converge.settings import variables as config
from converge.settings.variables import Settings
from converge.text import counted

HELP_COLUMNS = 96

log = logging.getLogger("eater_init")


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code; results go to stdout, the rest to stderr."""
    options = parse(argv)
    logs.set_up("INFO", os.environ.get("LOG_FORMAT", "text"))
    try:
        with stopped_by_signals(), advice.explained():
            execute(options)
    except (EaterInitError, Terminated) as error:
        log.error("%s", error)
        return error.exit_code
    return 0


def execute(options: argparse.Namespace) -> None:
    """Go through the steps of a run, in the order of the README's flow."""
    settings = load_settings()
    stopwatch = report.Stopwatch()
    with stopwatch.step("connect"):
        connection = database.connect(settings)
    log.info("connected to %s:%s, database %s", settings.host, settings.port, settings.database)
    with closing(connection):
        preflight.require_supported(connection)
        if options.history:
            report.put(history.show(connection, settings.schemas))
        elif options.rollback:
            undo(settings, connection, stopwatch, only_plan=options.plan)
        elif options.plan:
            print_plan(settings, connection)
        elif options.verify:
            verify_only(settings, connection)
        else:
            bring_to_models(settings, connection, stopwatch)


def bring_to_models(
    settings: Settings, connection: Connection, stopwatch: report.Stopwatch
) -> None:
    """Do it, time the key queries, and sum up."""
    outcome = run.bring_to_models(settings, connection, stopwatch)
    if settings.enable_performance_test:
        from converge import benchmark  # only here, like all that a run may not need
        from queries import QUERIES

        with stopwatch.step("benchmark"):
            report.put(benchmark.report(outcome.connection, QUERIES, settings.schemas) + "\n")
    report.put(report.summary(outcome.done, settings.schemas, outcome.tables, stopwatch))
    outcome.connection.close()
    log.info("done: %s", "changes were made" if outcome.done else "there was nothing to do")


def undo(
    settings: Settings, connection: Connection, stopwatch: report.Stopwatch, *, only_plan: bool
) -> None:
    """Undo the newest version, or print what that would execute."""
    from converge.history.rollback import plan_rollback, roll_back

    if only_plan:
        server = preflight.inspect(connection, settings)
        show(plan_rollback(settings, connection, server)[0])
    else:
        outcome = roll_back(settings, connection, stopwatch)
        report.put(f"{counted(len(outcome.done), 'step')} undone.\ntime: {stopwatch}")


def print_plan(settings: Settings, connection: Connection) -> None:
    """Print what a run would execute. Raises `Refused` if it would do nothing at all."""
    from converge.flow import plan_only

    show(plan_only(settings, connection))


def show(plan: Plan) -> None:
    report.put(render(plan))
    if plan.refusals:
        raise Refused(f"{counted(len(plan.refusals), 'difference')} refused, as printed above")


def verify_only(settings: Settings, connection: Connection) -> None:
    """Compare, and raise `VerificationFailed` if anything differs."""
    from converge.flow import plan_only

    plan = plan_only(settings, connection)
    found = plan.differences()
    for difference in found:
        report.put(difference)
    if not plan.empty:
        raise VerificationFailed(
            f"{counted(len(found), 'difference')} between database and models, as printed above.\n"
            "  Look at --plan, then run without --verify."
        )
    report.put("The database is as the models describe.")


def load_settings() -> Settings:
    """Read the configuration and set up the logging that it asks for."""
    settings = config.load_settings(os.environ)
    logs.set_up(settings.log_level, settings.log_format)
    return settings


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Terminated`, once: a second signal ends the process at once."""
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(number: int, _: Optional[FrameType]) -> None:
        for each in numbers:
            signal.signal(each, end_at_once)
        name = signal.Signals(number).name
        raise Terminated(
            number,
            f"stopped by {name}: the running statement was cancelled.\n"
            "  What was finished stays; another run goes on from there.",
        )

    def end_at_once(number: int, _: Optional[FrameType]) -> None:
        os._exit(128 + number)  # the default would do nothing to a process 1

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """Read the command line; argparse itself exits with 2 on a mistake."""
    parser = argparse.ArgumentParser(
        prog="create_tables.py",
        description="Bring a PostgreSQL database to the state that the models describe.",
        allow_abbrev=False,  # `--roll` is no way to ask for a rollback
        epilog="Configured by environment variables and .env; see README.md.",
        # Given a width, argparse need not import shutil, which takes a tenth of a no-op run.
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=HELP_COLUMNS),
    )
    parser.add_argument("--plan", action="store_true", help="print what would be done, and stop")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--rollback", action="store_true", help="undo the newest version")
    mode.add_argument("--verify", action="store_true", help="compare only; exit 5 if it differs")
    mode.add_argument("--history", action="store_true", help="print what runs have changed")
    parser.add_argument("--version", action="version", version=f"%(prog)s {database.VERSION}")
    options = parser.parse_args(argv)
    if options.plan and (options.verify or options.history):
        parser.error("--plan goes with a run or with --rollback")
    return options


if __name__ == "__main__":
    sys.exit(main())
