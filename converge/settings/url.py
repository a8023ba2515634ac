"""DATABASE_URL: a connection in one, as hosting platforms and operators' Secrets have it.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
"""

import re
from typing import Dict

FORM = "postgresql://user:password@host:port/database"
FIELDS = {  # of `Settings`, by libpq's names
    "host": "host",
    "port": "port",
    "dbname": "database",
    "user": "user",
    "password": "password",
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
}
DRIVER = re.compile(r"^(postgres(?:ql)?)\+\w+(?=://)")  # as SQLAlchemy names it


def url(value: str) -> Dict[str, str]:
    """The parts of a URL, by field. What libpq says of a wrong one may have the password in it."""
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    if "://" not in value:
        raise ValueError(f"must be {FORM}")
    try:
        found = parse_dsn(DRIVER.sub(r"\1", value))
    except ProgrammingError:
        raise ValueError(
            f"must be {FORM}; in a name or password, @ is written as %40, / as %2F, % as %25"
        ) from None
    others = sorted(set(found) - set(FIELDS))
    if others:
        raise ValueError(f"has {', '.join(others)}; of its parameters, only TLS is read")
    return {FIELDS[name]: part for name, part in found.items()}
