"""What can go wrong, and the exit code that says so.

Only `ConvergeError` and `Terminated` are foreseen, where a run ends (`console.ending`); any other
exception is a bug: it keeps its traceback and the process exits 1.
"""

from typing import Any, Dict, Iterable, Sequence


class ConvergeError(Exception):
    """The message says what happened, why, and what to type next; it never holds a secret.

    `event` and `facts` are what machines get of it: see `converge.events`.
    """

    exit_code = 1
    event = "failed"

    @property
    def facts(self) -> Dict[str, object]:
        return {}


class ConfigurationError(ConvergeError):
    """The environment, `.env` or the command line is unusable. Nothing was changed.

    `mistakes` are those of the settings, one by one.
    """

    exit_code = 2
    event = "misconfigured"

    def __init__(self, message: str, mistakes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.mistakes = mistakes

    @property
    def facts(self) -> Dict[str, object]:
        return {"mistakes": list(self.mistakes)}


class Misused(ConvergeError):
    """The command line is not understood. Nothing was changed."""

    exit_code = 2
    event = "bad_command_line"

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage

    @property
    def facts(self) -> Dict[str, object]:
        return {"usage": self.usage}


class UnusableModels(ConvergeError):
    """The models ask for what PostgreSQL does not take, or this program. Nothing was changed."""

    exit_code = 2
    event = "misconfigured"


class ConnectionFailed(ConvergeError):
    """No connection, or it was lost, and the retries are used up. Safe to run again.

    `failure` is the cause as `converge.server.failures` knows it, or None; `names` are those of
    the role and the database, quoted, for the advice.
    """

    exit_code = 3
    event = "connection_failed"

    def __init__(self, message: str, failure: Any = None, **names: str) -> None:
        super().__init__(message)
        self.failure, self.names = failure, names


class Refused(ConvergeError):
    """A change can't be made safely: a person must act. Nothing was changed.

    `refusals` are what the message says, each a `plan.Refusal`.
    """

    exit_code = 4
    event = "refused"

    def __init__(self, message: str, refusals: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.refusals = refusals

    @classmethod
    def of(cls, *refusals: Any) -> "Refused":
        """Return the error whose message is that of all the refusals."""
        return cls("\n".join(map(str, refusals)), refusals)

    @property
    def facts(self) -> Dict[str, object]:
        return {"refusals": [refusal.facts for refusal in self.refusals]}


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
    event = "differs"


class LockNotAcquired(ConvergeError):
    """A lock could not be acquired within LOCK_PATIENCE. What was finished stays: try again.

    `waits` are who held it, each a `server.waits.Wait`.
    """

    exit_code = 6
    event = "lock_not_acquired"

    def __init__(self, message: str, waits: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.waits = waits

    @property
    def facts(self) -> Dict[str, object]:
        return {"blocked_by": [wait.facts for wait in self.waits]}


class SchemasFailed(ConvergeError):
    """Some of the schemas are not done; the others are. `exit_code` is the gravest of theirs."""

    event = "schemas_failed"

    def __init__(self, message: str, schemas: Iterable[str], exit_code: int) -> None:
        super().__init__(message)
        self.schemas, self.exit_code = sorted(schemas), exit_code

    @property
    def facts(self) -> Dict[str, object]:
        return {"schemas": self.schemas}


class Terminated(BaseException):
    """SIGTERM or SIGINT: the running statement was cancelled on the server. Safe to run again.

    It comes anywhere, even in a library's `try … except Exception` (logging has one), where only
    what is no `Exception` gets through.
    """

    event = "terminated"

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

    @property
    def facts(self) -> Dict[str, object]:
        return {"signal": self.exit_code - 128}
