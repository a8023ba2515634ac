"""The command line."""

import sys
from typing import NamedTuple, Optional, Sequence

from converge.names import PROGRAM, VERSION

HELP_COLUMNS = 96


class Options(NamedTuple):
    """What is asked for: a mode, and whether it is only to be shown."""

    mode: str = "run"  # or "rollback", "verify", "history"
    plan: bool = False


def parse(argv: Optional[Sequence[str]] = None) -> Options:
    """Read the command line, by default the process's own.

    On a mistake, argparse exits with 2.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    return _parsed(arguments) if arguments else Options()


def _parsed(arguments: Sequence[str]) -> Options:
    # Only here: a run that is started with no arguments, as most are, has no use for it.
    import argparse

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Bring a PostgreSQL database to the state that the models describe.",
        allow_abbrev=False,  # `--roll` is no way to ask for a rollback
        epilog="Configured by environment variables and .env; see README.md.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=HELP_COLUMNS),
    )
    parser.set_defaults(mode=Options().mode)
    parser.add_argument("--plan", action="store_true", help="print what would be done, and stop")
    modes = parser.add_mutually_exclusive_group()
    for mode, meaning in (
        ("rollback", "undo the newest version"),
        ("verify", "compare only; exit 5 if it differs"),
        ("history", "print what runs have changed"),
    ):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=meaning)
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    options = parser.parse_args(arguments)
    if options.plan and options.mode in ("verify", "history"):
        parser.error("--plan goes with a run or with --rollback")
    return Options(options.mode, options.plan)
