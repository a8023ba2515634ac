"""What `--help` says besides the options, and what was meant by one that there is not."""

import re
from typing import Sequence

from converge.settings.variables import VARIABLES, Variable
from converge.text import table

# The code, what happened, and what to do, which only the README has.
EXIT_CODES = (
    ("0", "done, or there was nothing to do", "nothing"),
    (
        "1",
        "an error of the server, or a bug",
        "read the message; report a traceback. Safe to run again",
    ),
    (
        "2",
        "a mistake in the configuration, on the command line or in the models",
        "nothing was changed: correct everything that is listed",
    ),
    ("3", "no connection, or it was lost", "the message says why; safe to run again"),
    (
        "4",
        "refused: a person has to act; the message says how",
        "type what it says, then run again. Nothing was changed, unless it says that steps were",
    ),
    (
        "5",
        "the database differs from the models",
        "`--plan` shows how. After that or `--verify`: run; after a run: somebody interfered",
    ),
    (
        "6",
        "a lock could not be acquired within LOCK_PATIENCE",
        "wait, then run again: it continues from there",
    ),
    (
        "130, 143",
        "stopped by SIGINT or SIGTERM; safe to run again",
        "run again: it continues from there",
    ),
)
EXAMPLES = (
    ("--plan", "what would a run do?"),
    ("", "do it, and prove it"),
    ("--rollback --plan", "what would undo the newest version?"),
)
# What other programs call ours.
ALSO = {"--dry-run": "--plan", "--diff": "--plan", "--check": "--verify", "--undo": "--rollback"}
UNKNOWN = re.compile(r"unrecognized arguments: (-{0,2}[A-Za-z][\w-]*)")
NOTHING = {None: "required", "": "none"}


def epilog(program: str, own: Sequence[Variable]) -> str:
    """Return the exit codes, the variables with their defaults, and examples."""
    settings = [
        (v.name, NOTHING.get(v.default, v.default or ""), v.meaning) for v in (*VARIABLES, *own)
    ]
    examples = [(f"python {program} {options}".strip(), what) for options, what in EXAMPLES]
    width = max(len(command) for command, _ in examples)
    parts = {
        "exit codes:": table(
            ("code", "what happened"), [(code, what) for code, what, _ in EXIT_CODES]
        ),
        "environment variables, or lines of .env:": table(
            ("variable", "default", "meaning"), settings
        ),
        "examples:": "\n".join(f"{command:{width}}  {what}" for command, what in examples),
    }
    return "\n\n".join(f"{title}\n{_indented(text)}" for title, text in parts.items())


def meant(message: str, options: Sequence[str]) -> str:
    """Return argparse's message; about an option that there is not, with what was meant."""
    found = UNKNOWN.match(message)
    if found is None or found.group(1) in options:
        return message
    from difflib import get_close_matches

    typed = found.group(1)
    close = [ALSO.get(f"--{typed.lstrip('-')}"), *get_close_matches(typed, options, 1)]
    named = next(filter(None, close), None)
    return f"{message}; did you mean {named}?" if named else message


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
