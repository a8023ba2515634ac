"""Why there is no connection, by the server's or libpq's whole message, and what to do then."""

import psycopg2
import pytest

from converge.console.advice import ADVICE, OTHERWISE, explained
from converge.errors import ConnectionFailed
from converge.server.connection import NoSecondConnection, Silence
from converge.server.failures import Failure, cause, decisive_line

AT = 'connection to server at "db.example.org" (10.0.0.7), port 5432 failed: '
SOCKET = 'connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: '
MESSAGES = {
    f"{AT}Connection refused\n\tIs the server running on that host?": Failure.NOT_LISTENING,
    f"{SOCKET}No such file or directory": Failure.NO_SOCKET,
    'could not translate host name "db" to address: Name or service not known': (
        Failure.UNKNOWN_HOST
    ),
    "could not connect to server: Connection timed out": Failure.NO_ANSWER,
    "timeout expired": Failure.NO_ANSWER,
    "could not receive data from server: Connection timed out": Failure.NO_ANSWER,
    f'{AT}FATAL:  password authentication failed for user "x"': Failure.WRONG_PASSWORD,
    "FATAL:  password authentication failed": Failure.WRONG_PASSWORD,  # these three: PgBouncer's
    "FATAL:  SASL authentication failed": Failure.WRONG_PASSWORD,
    'FATAL:  "trust" authentication failed': Failure.WRONG_PASSWORD,
    f"{AT}fe_sendauth: no password supplied": Failure.NO_PASSWORD,
    f'{AT}FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "x", database "d"': (
        Failure.HBA_NO_ENTRY
    ),
    f'{AT}FATAL:  pg_hba.conf rejects connection for host "10.0.0.7", user "x", '
    'database "d", no encryption': Failure.HBA_REJECTS,
    f'{AT}FATAL:  role "x" does not exist': Failure.NO_ROLE,
    f'{AT}FATAL:  role "x" is not permitted to log in': Failure.NO_LOGIN,
    f'{AT}FATAL:  database "d" does not exist': Failure.NO_DATABASE,
    f'{AT}FATAL:  database "d" is not currently accepting connections': Failure.DATABASE_CLOSED,
    f'{AT}FATAL:  permission denied for database "d"\nDETAIL:  User does not have CONNECT '
    "privilege.": Failure.NO_CONNECT_RIGHT,
    f"{AT}FATAL:  the database system is starting up": Failure.STARTING,
    f"{AT}FATAL:  the database system is in recovery mode": Failure.STARTING,
    f"{AT}FATAL:  the database system is shutting down": Failure.STOPPING,
    f"{AT}FATAL:  sorry, too many clients already": Failure.SERVER_FULL,
    f"{AT}FATAL:  remaining connection slots are reserved for roles with the SUPERUSER "
    "attribute": Failure.SERVER_FULL,
    f'{AT}FATAL:  too many connections for role "x"': Failure.LIMIT_REACHED,
    f"{AT}FATAL:  query_wait_timeout": Failure.POOL_EMPTY,
    "FATAL:  no more connections allowed (max_client_conn)": Failure.POOLER_FULL,
    f"{AT}server does not support SSL, but SSL was required": Failure.NO_TLS,
    f"{AT}SSL error: certificate verify failed": Failure.CERTIFICATE,
    f'{AT}root certificate file "/ca.pem" does not exist': Failure.CERTIFICATE,
}


@pytest.mark.parametrize("message", list(MESSAGES))
def test_a_failure_is_known_by_its_whole_message(message: str) -> None:
    """libpq puts where it tried before it, and more lines behind."""
    assert cause(psycopg2.OperationalError(message + "\n")) is MESSAGES[message]


@pytest.mark.parametrize(
    "message",
    [
        f'{AT}FATAL:  no such thing as database "d" does not exist',
        f"{AT}FATAL:  the role said: Connection refused",
        "SSL connection has been closed unexpectedly",
        "something that nobody has seen yet",
    ],
)
def test_words_in_a_message_tell_nothing(message: str) -> None:
    """Names are other people's, and may be anything."""
    assert cause(psycopg2.OperationalError(message)) is None


SEVERAL = {
    # `localhost` has two addresses, and the server listens on one of them.
    "Connection refused\n\tIs the server running on that host?\n"
    f"{AT}FATAL:  the database system is starting up": Failure.STARTING,
    # POSTGRES_SSLMODE=prefer tries without TLS what the server admits only with it.
    f'{AT}FATAL:  password authentication failed for user "x"\n'
    f'{AT}FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "x", database "d", '
    "no encryption": Failure.WRONG_PASSWORD,
}


@pytest.mark.parametrize("message", list(SEVERAL))
def test_of_several_attempts_the_one_that_got_furthest_is_the_cause(message: str) -> None:
    """A log line shows that one, whichever came first."""
    error = psycopg2.OperationalError(message)
    assert cause(error) is SEVERAL[message]
    assert "FATAL:  " in decisive_line(error)
    assert "no pg_hba.conf entry" not in decisive_line(error)


def test_each_failure_has_advice() -> None:
    """None of them leaves an operator alone, and each message above is some test's."""
    assert set(ADVICE) == set(Failure)
    assert set(MESSAGES.values()) == set(Failure) - {Failure.LOST}


def test_advice_stands_between_the_reason_and_the_assurance() -> None:
    """What happened, what to type, and that it is safe to run again."""
    with pytest.raises(ConnectionFailed) as caught, explained():
        raise ConnectionFailed("no connection.\n  reason", Failure.NO_LOGIN, user='"X"')
    assert str(caught.value) == (
        "no connection.\n  reason\n  Let an administrator run:\n"
        '    ALTER ROLE "X" LOGIN;\n  Safe to run again.'
    )


@pytest.mark.parametrize(
    "reason",
    [
        "terminating connection due to administrator command\n"
        "SSL connection has been closed unexpectedly",
        "SSL SYSCALL error: EOF detected",
        "server closed the connection unexpectedly",
    ],
)
def test_a_lost_connection_gets_no_advice_on_connecting(reason: str) -> None:
    """Its settings were right: the server was restarted, crashed, or ended the session."""
    with pytest.raises(ConnectionFailed) as caught, explained():
        raise psycopg2.OperationalError(reason)
    assert str(caught.value) == (
        f"the connection was lost: {reason}\n  {ADVICE[Failure.LOST]}\n"
        "  Finished steps stay; safe to run again."
    )


def test_silence_in_a_run_is_the_network() -> None:
    """Neither the server nor its administrator has said anything."""
    with pytest.raises(ConnectionFailed) as caught, explained():
        raise Silence("no answer for 23 s, nor to a new connection")
    assert str(caught.value) == (
        "the connection was lost: no answer for 23 s, nor to a new connection\n"
        f"  {ADVICE[Failure.NO_ANSWER]}\n  Finished steps stay; safe to run again."
    )


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ('FATAL:  role "X" is not permitted to log in', 'ALTER ROLE "X" LOGIN;'),
        ("something that nobody has seen yet", OTHERWISE),
    ],
)
def test_a_second_connection_that_fails_has_the_advice_on_connecting(
    reason: str, advice: str
) -> None:
    """The first one worked, but the server may have no room for another, or close its door."""
    with pytest.raises(ConnectionFailed) as caught, explained():
        raise NoSecondConnection(f"{AT}{reason}\n", user='"X"', database="d")
    message = str(caught.value)
    assert message.startswith(f"the run's second connection could not be opened: {AT}{reason}\n")
    assert message.endswith(f"  {advice}\n  Finished steps stay; safe to run again.")
