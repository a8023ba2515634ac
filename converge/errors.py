"""What can go wrong, and the exit code that says so.

Only `EaterInitError` and `Terminated` are caught, once, in `create_tables.main`; any other
exception is a bug: it keeps its traceback and the process exits 1.
"""


class EaterInitError(Exception):
    """The message says what happened, why, and what to type next; it never holds a secret."""

    exit_code = 1


class ConfigurationError(EaterInitError):
    """The environment, `.env` or the command line is unusable. Nothing was connected to."""

    exit_code = 2


class ConnectionFailed(EaterInitError):
    """No connection, or it was lost, and the retries are used up. Safe to run again."""

    exit_code = 3


class Refused(EaterInitError):
    """A change can't be made safely, or a lock was not had in time. Safe to run again."""

    exit_code = 4


class VerificationFailed(EaterInitError):
    """The database differs from the models after, or without, a run."""

    exit_code = 5


class Terminated(BaseException):
    """SIGTERM or SIGINT: the running statement was cancelled on the server. Safe to run again.

    It comes anywhere, even in a library's `try … except Exception` (logging has one), where only
    what is no `Exception` gets through.
    """

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
