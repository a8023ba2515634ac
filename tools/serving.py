"""A server for a tool: that of TEST_DATABASE_URL (a superuser's), or an embedded one."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import Any, Dict, Iterator

import psycopg2.extensions

from tests.support.database import FAST
from tools import embedded


@contextmanager
def served() -> Iterator[Dict[str, Any]]:
    """Yield the connection parameters of a server, which an embedded one has until the end."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        yield {"port": 5432, **psycopg2.extensions.parse_dsn(url)}
        return
    directory = tempfile.mkdtemp(prefix="eater-init-tool-")
    try:
        yield embedded.start(directory, options=FAST)._asdict()
    finally:
        embedded.stop(directory)
        shutil.rmtree(directory)
