"""A TCP door to a server: falls silent, cuts connections, shuts, and counts round trips."""

import os
import socket
import threading
from contextlib import suppress
from typing import Callable, Dict, List

HOST = "127.0.0.1"
CHUNK = 65536


class Proxy:
    """Listens on `host`:`port` and hands everything on to the server of `environment`.

    `round_trips` counts, over all connections, how often a client spoke up after the server had:
    each costs the distance between them. Opening a connection is among them. `environment` leads
    through this door.
    """

    def __init__(self, environment: Dict[str, str], *, port: int = 0) -> None:
        self._target = (environment["POSTGRES_HOST"], int(environment["POSTGRES_PORT"]))
        self._listener = socket.create_server((HOST, port))
        self._passing = threading.Event()
        self._passing.set()
        self._pairs: List[_Pair] = []
        self.rewrite: Callable[[bytes], bytes] = bytes  # what the server says, for the client
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
        self._passing.clear()

    def resume(self) -> None:
        """Let through what was held back and what follows."""
        self._passing.set()

    def cut(self) -> None:
        """End all connections; new ones are welcome."""
        for pair in self._pairs:
            pair.close()

    def close(self) -> None:
        """End all connections and refuse new ones."""
        _shut(self._listener)
        self.cut()
        self._passing.set()

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
            self._pairs.append(_Pair(client, server, self._passing, self.rewrite))


class _Pair:
    """One client's connection and ours to the server on its behalf."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        passing: threading.Event,
        rewrite: Callable[[bytes], bytes],
    ) -> None:
        self._client, self._server = client, server
        self._passing, self._rewrite = passing, rewrite
        self._server_spoke = True
        self.round_trips = 0
        _in_background(lambda: self._pump(client, server))
        _in_background(lambda: self._pump(server, client))

    def close(self) -> None:
        _shut(self._client)
        _shut(self._server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while True:
                chunk = source.recv(CHUNK)
                if not chunk:
                    break
                self._count(from_client=source is self._client)
                self._passing.wait()
                sink.sendall(self._rewrite(chunk) if source is self._server else chunk)
        except OSError:  # closed
            pass
        finally:
            self._passing.wait()
            self.close()

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
