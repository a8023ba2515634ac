"""What can go wrong, and the exit code that says so.

Only `ConvergeError` and `Terminated` are caught, in `create_tables.main`; any other exception is a
bug: it keeps its traceback and the process exits 1.
"""

from typing import Any


class ConvergeError(Exception):
    """The message says what happened, why, and what to type next; it never holds a secret."""

    exit_code = 1


class ConfigurationError(ConvergeError):
    """The environment, `.env` or the command line is unusable. Nothing was changed."""

    exit_code = 2


class UnusableModels(ConvergeError):
    """The models ask for what PostgreSQL does not take, or this program. Nothing was changed."""

    exit_code = 2


class ConnectionFailed(ConvergeError):
    """No connection, or it was lost, and the retries are used up. Safe to run again.

    `failure` is the cause as `converge.server.failures` knows it, or None; `names` are those of
    the role and the database, quoted, for the advice.
    """

    exit_code = 3

    def __init__(self, message: str, failure: Any = None, **names: str) -> None:
        super().__init__(message)
        self.failure, self.names = failure, names


class Refused(ConvergeError):
    """A change can't be made safely: a person must act. Nothing was changed."""

    exit_code = 4


class StepRefused(Refused):
    """A step was refused by the server, or by the rows. The steps before it stay."""


class StepFailed(ConvergeError):
    """The server refused a step, or the connection was lost in it. Finished steps stay.

    `cause` is the server's error, `refusal` what to say if that is final: a `plan.Refusal`;
    `finished` counts the steps before it.
    """

    exit_code = 4

    def __init__(self, cause: Exception, refusal: Any, *, finished: int) -> None:
        super().__init__(str(cause))
        self.cause, self.refusal, self.finished = cause, refusal, finished


class VerificationFailed(ConvergeError):
    """The database differs from the models after, or without, a run."""

    exit_code = 5


class LockNotAcquired(ConvergeError):
    """A lock could not be acquired within LOCK_PATIENCE. What was finished stays: try again."""

    exit_code = 6


class SchemasFailed(ConvergeError):
    """Some of the schemas are not done; the others are. `exit_code` is the gravest of theirs."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Terminated(BaseException):
    """SIGTERM or SIGINT: the running statement was cancelled on the server. Safe to run again.

    It comes anywhere, even in a library's `try … except Exception` (logging has one), where only
    what is no `Exception` gets through.
    """

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
