"""What to check when there is no connection, by the server's or libpq's own words."""

import psycopg2
import pytest

from converge.console.advice import connection_failed
from converge.settings.variables import load_settings

SETTINGS = load_settings(
    {
        "POSTGRES_HOST": "db.example.org",
        "POSTGRES_DB": "eater",
        "POSTGRES_USER": "chater",
        "POSTGRES_PASSWORD": "hunter2",
    },
    "no-such-dotenv",
)
ADVICE = {
    "FATAL:  the database system is starting up": (
        "Wait: raise MAX_RETRIES or RETRY_DELAY if it takes longer."
    ),
    "FATAL:  the database system is shutting down": (
        "The server is stopping: start it, then run again."
    ),
    'FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "chater", database "eater"': (
        "Let this host and user in by pg_hba.conf, or set POSTGRES_SSLMODE."
    ),
    "FATAL:  sorry, too many clients already": "Free connections, or raise max_connections.",
    "server does not support SSL, but SSL was required": (
        "Check POSTGRES_SSLMODE: the server may not speak TLS."
    ),
    'root certificate file "/ca.pem" does not exist': (
        "Check POSTGRES_SSLMODE and POSTGRES_SSLROOTCERT."
    ),
    "could not connect to server: Connection timed out": (
        "Check the network: firewall, network policy, POSTGRES_HOST."
    ),
    "something that nobody has seen yet": "Try the same connection with psql from the same place.",
}


@pytest.mark.parametrize("reason", list(ADVICE))
def test_a_reason_comes_with_what_to_check(reason: str) -> None:
    """Where to, why not, and what to check; never the password."""
    error = connection_failed(SETTINGS, psycopg2.OperationalError(f"{reason}\n"))
    assert error.exit_code == 3
    assert str(error) == (
        "no connection to db.example.org:5432, database eater, user chater, after 5 attempts.\n"
        f"  {reason}\n  {ADVICE[reason]}\n  Safe to run again."
    )
