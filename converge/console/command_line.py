"""The command line."""

import argparse
from typing import List, Optional

from converge.names import PROGRAM, VERSION

HELP_COLUMNS = 96


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """Read the command line; argparse itself exits with 2 on a mistake.

    `mode` is `run`, `rollback`, `verify` or `history`; `plan` says that it is only to be shown.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Bring a PostgreSQL database to the state that the models describe.",
        allow_abbrev=False,  # `--roll` is no way to ask for a rollback
        epilog="Configured by environment variables and .env; see README.md.",
        # Given a width, argparse need not import shutil, which takes a tenth of a no-op run.
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=HELP_COLUMNS),
    )
    parser.set_defaults(mode="run")
    parser.add_argument("--plan", action="store_true", help="print what would be done, and stop")
    modes = parser.add_mutually_exclusive_group()
    for mode, meaning in (
        ("rollback", "undo the newest version"),
        ("verify", "compare only; exit 5 if it differs"),
        ("history", "print what runs have changed"),
    ):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=meaning)
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    options = parser.parse_args(argv)
    if options.plan and options.mode in ("verify", "history"):
        parser.error("--plan goes with a run or with --rollback")
    return options
