"""The command line."""

import sys
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Optional, Sequence

from converge.console import logs
from converge.console.summary import put
from converge.errors import Misused
from converge.names import PROGRAM, VERSION

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from converge.settings.variables import Variable

HELP_COLUMNS = 96
ALL_RUNS = -1  # is no number that can be typed
FORMATS = ("text", "json", "markdown")


class Options(NamedTuple):
    """What is asked for: a mode, whether it is only to be shown, and what it is about."""

    mode: str = "run"  # or "apply", "rollback", "verify", "history"
    plan: bool = False
    format: str = ""  # of a plan: one of `FORMATS`; empty: text
    exit_code: bool = False  # of a plan: 5 where it is not empty
    file: str = ""  # which plan to apply; "-" is stdin
    to: Optional[int] = None  # the version that a rollback leads to; None: the previous one
    yes: bool = False  # a rollback is not asked about
    run: int = ALL_RUNS  # whose steps the history shows
    report: str = ""  # the file to write a report to


def parse(argv: Optional[Sequence[str]] = None, own: "Sequence[Variable]" = ()) -> Options:
    """Read the command line, by default the process's own; `own` variables are for its help.

    On a mistake, argparse exits with 2.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    return _parsed(arguments, own) if arguments else Options()


def _parsed(arguments: Sequence[str], own: "Sequence[Variable]") -> Options:
    parser = _parser(own)
    options = parser.parse_args(arguments)
    mode = options.mode if options.run is None else "history"
    mode = mode if options.file is None else "apply"
    if options.file == "":
        parser.error("--apply takes the name of a file, or - for what is piped in")
    if options.report is not None:
        mode = _looking(parser, options, mode)
    if options.plan and mode not in ("run", "rollback"):
        parser.error("--plan goes with a run or with --rollback")
    if options.format and not options.plan:
        instead = ": type --plan --exit-code instead of it" if mode == "verify" else ""
        parser.error(f"--format goes with --plan{instead}")
    if options.exit_code and not (options.plan and mode == "run"):
        parser.error("--exit-code goes with --plan of a run")
    if mode != "rollback" and (options.to is not None or options.yes):
        parser.error("--to and --yes go with --rollback")
    return Options(
        mode=mode,
        plan=options.plan,
        format=options.format or "",
        exit_code=options.exit_code,
        file=options.file or "",
        to=options.to,
        yes=options.yes,
        run=ALL_RUNS if options.run is None else options.run,
        report=options.report or "",
    )


def _looking(parser: "ArgumentParser", options: "Namespace", mode: str) -> str:
    """Return the mode with --report, which by itself compares only."""
    from converge.settings.checks import report_file, shortened

    try:
        report_file(options.report)
    except ValueError as error:
        parser.error(f"--report {shortened(options.report)}: {error}")
    return "verify" if mode == "run" and not options.plan else mode


def _parser(own: "Sequence[Variable]") -> "ArgumentParser":
    # Only here: a run that is started with no arguments, as most are, has no use for it.
    import argparse

    from converge.console.help import epilog, meant

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            message = meant(message, list(self._option_string_actions))
            if logs.in_json():
                raise Misused(message, self.format_usage())
            super().error(message)

        def _print_message(self, message: str, file: Any = None) -> None:
            if file is sys.stdout:
                put(message.rstrip("\n"), "help")
            else:
                super()._print_message(message, file)

    parser = Parser(
        prog=PROGRAM,
        description="Bring a PostgreSQL database to the state that the models describe.",
        allow_abbrev=False,  # `--roll` is no way to ask for a rollback
        epilog=epilog(PROGRAM, own),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=HELP_COLUMNS),
    )
    parser.set_defaults(mode=Options().mode)
    parser.add_argument("--plan", action="store_true", help="print what would be done, and stop")
    meaning = "with --plan: how it is printed"
    parser.add_argument("--format", choices=FORMATS, help=meaning)
    meaning = "with --plan: exit 5 if there is something to do"
    parser.add_argument("--exit-code", action="store_true", help=meaning)
    modes = parser.add_mutually_exclusive_group()
    meaning = "carry out a plan of --plan --format json, or refuse if it would be another one now"
    modes.add_argument("--apply", dest="file", metavar="FILE", help=meaning)
    for mode, meaning in (
        ("rollback", "undo the newest version"),
        ("verify", "compare only; exit 5 if it differs"),
    ):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=meaning)
    meaning = "print what runs have changed, or the steps of one run"
    modes.add_argument(
        "--history", dest="run", nargs="?", const=ALL_RUNS, type=number, metavar="RUN", help=meaning
    )
    meaning = "with --rollback: undo every version above this one; 0 undoes all"
    parser.add_argument("--to", type=number, metavar="VERSION", help=meaning)
    meaning = "write a report: .html, .md or .json; by itself it compares only, like --verify"
    parser.add_argument("--report", metavar="FILE", help=meaning)
    parser.add_argument("--yes", action="store_true", help="with --rollback: do not ask")
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def number(text: str) -> int:
    """Return a whole number from 0 on; argparse words the error by this function's name."""
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)
