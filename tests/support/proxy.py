"""A TCP door to a server: falls silent, cuts connections, shuts, and counts round trips."""

import os
import re
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import Callable, Dict, List, Optional

HOST = "127.0.0.1"
CHUNK = 65536
# https://www.postgresql.org/docs/current/protocol-message-formats.html
QUERY = b"Q"
BACKEND_KEY_DATA = re.compile(rb"K\0\0\0\x0c(?P<pid>.{4})", re.DOTALL)
Send = Callable[[], None]


class Proxy:
    """Listens on `host`:`port` and hands everything on to the server of `environment`.

    `round_trips` counts, over all connections, how often a client spoke up after the server had:
    each costs the distance between them. Opening a connection is among them. `environment` leads
    through this door. `on_statement` is called with the server's process, the statement, and what
    hands it on; what it does not hand on is lost.
    """

    def __init__(self, environment: Dict[str, str], *, port: int = 0) -> None:
        self._target = (environment["POSTGRES_HOST"], int(environment["POSTGRES_PORT"]))
        self._listener = socket.create_server((HOST, port))
        self.passing = threading.Event()
        self.passing.set()
        self._pairs: List[_Pair] = []
        self.rewrite: Callable[[bytes], bytes] = bytes  # what the server says, for the client
        self.on_statement: Callable[[int, str, Send], None] = lambda *to: to[-1]()
        self.host = HOST
        self.port: int = self._listener.getsockname()[1]
        self.environment = {
            **environment,
            "POSTGRES_HOST": self.host,
            "POSTGRES_PORT": str(self.port),
        }
        _in_background(self._accept)

    @property
    def round_trips(self) -> int:
        return sum(pair.round_trips for pair in self._pairs)

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._pairs)

    def silent(self) -> None:
        """From now on nothing gets through, in either direction, and nobody is told."""
        self.passing.clear()

    def resume(self) -> None:
        """Let through what was held back and what follows."""
        self.passing.set()

    def cut(self) -> None:
        """End all connections; new ones are welcome."""
        for pair in self._pairs:
            pair.close()

    def close(self) -> None:
        """End all connections and refuse new ones."""
        _shut(self._listener)
        self.cut()
        self.passing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server = _connect(*self._target)
            except OSError:
                _shut(client)
                continue
            self._pairs.append(_Pair(client, server, self))


class _Pair:
    """One client's connection and ours to the server on its behalf."""

    def __init__(self, client: socket.socket, server: socket.socket, proxy: Proxy) -> None:
        self._client, self._server, self._proxy = client, server, proxy
        self._server_spoke = True
        self._rest = 0  # bytes of the statement that are still to come
        self._backend: Optional[int] = None
        self.round_trips = 0
        _in_background(lambda: self._pump(client, server))
        _in_background(lambda: self._pump(server, client))

    def close(self) -> None:
        _shut(self._client)
        _shut(self._server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        passing = self._proxy.passing
        try:
            while True:
                chunk = source.recv(CHUNK)
                if not chunk:
                    break
                self._count(from_client=source is self._client)
                passing.wait()
                if source is self._server:
                    self._find_backend(chunk)
                    sink.sendall(self._proxy.rewrite(chunk))
                elif self._begins_statement(chunk):
                    text = chunk[5:].decode("utf-8", "replace")
                    self._proxy.on_statement(self._backend or 0, text, partial(sink.sendall, chunk))
                else:
                    sink.sendall(chunk)
        except OSError:  # closed
            pass
        finally:
            passing.wait()
            self.close()

    def _find_backend(self, chunk: bytes) -> None:
        found = BACKEND_KEY_DATA.search(chunk)
        if self._backend is None and found:
            self._backend = int.from_bytes(found.group("pid"), "big")

    def _begins_statement(self, chunk: bytes) -> bool:
        # libpq awaits the answer before it sends another message.
        begins = self._rest == 0 and chunk.startswith(QUERY)
        if begins:
            self._rest = 1 + int.from_bytes(chunk[1:5], "big")
        self._rest = max(0, self._rest - len(chunk))
        return begins

    def _count(self, *, from_client: bool) -> None:
        if from_client and self._server_spoke:
            self.round_trips += 1
        self._server_spoke = not from_client


def _connect(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    door = socket.socket(socket.AF_UNIX)
    door.connect(os.path.join(host, f".s.PGSQL.{port}"))
    return door


def _shut(one: socket.socket) -> None:
    # close() alone does not wake a thread that waits in recv() or accept().
    with suppress(OSError):  # the other side was first
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
