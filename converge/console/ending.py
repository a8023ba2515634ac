"""How a run ends: what ended it in the log, and its exit code."""

import logging
from typing import Callable

from converge.errors import ConvergeError, Terminated
from converge.events import about
from converge.names import APPLICATION_NAME

log = logging.getLogger(APPLICATION_NAME)


def ended(run: Callable[[], None]) -> int:
    """Run it, log what has ended it if it was an error, and return the exit code."""
    try:
        run()
    except SystemExit as error:  # argparse's, which has said why
        return int(error.code or 0)
    except (ConvergeError, Terminated) as error:
        extra = about(error.event, exit_code=error.exit_code, **error.facts)
        log.error("%s", error, extra=extra)
        return error.exit_code
    except Exception as error:
        what = f"a bug: {type(error).__name__}: {error}\n  Safe to run again. Report this:"
        log.critical("%s", what, exc_info=True, extra=about("bug", exit_code=1))
        return 1
    return 0
