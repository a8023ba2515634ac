"""A TCP door to a server's Unix socket that counts what passes through it.

A round trip is a message of the client, or several in a row, and the server's answer: what a
slow network makes a client wait for. A farewell that nobody answers is none. The three-way
handshake of TCP itself, one more wait for each connection, is not seen here.
"""

import re
import select
import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import Any, Iterator, List

# https://www.postgresql.org/docs/current/protocol-message-formats.html
START_UP = {80877103: "SSLRequest", 80877104: "GSSENCRequest", 80877102: "CancelRequest"}
ONE_BYTE_ANSWERS = ("SSLRequest", "GSSENCRequest")
HOLDS_SQL = ("Q", "P")
# How the job's transactions begin; not what they are about.
OPENING = re.compile(r"((BEGIN|SET LOCAL)[^;]*;\s*)+")
SHOWN = 100  # characters of a message


class Counts:
    """What has passed. `trips` holds the beginning of what each round trip asked."""

    def __init__(self) -> None:
        self.connections = 0
        self.messages = 0  # that hold SQL
        self.statements = 0  # that the server has completed
        self.trips: List[str] = []


class Conversation:
    """One connection: takes the bytes of either side apart into messages."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.from_client, self.from_server = bytearray(), bytearray()
        self.asked: List[str] = []  # since the server last answered
        self.one_byte = False

    def client_says(self, data: bytes) -> None:
        self.from_client += data
        for kind, body in _messages(self.from_client):
            self.counts.messages += kind in HOLDS_SQL
            self.asked.append(_shown(kind, body))
            self.one_byte = kind in ONE_BYTE_ANSWERS

    def server_says(self, data: bytes) -> None:
        if self.asked:
            self.counts.trips.append(" | ".join(self.asked))
            self.asked = []
        self.from_server += data[1:] if self.one_byte else data
        self.one_byte = False
        for kind, _ in _messages(self.from_server):
            self.counts.statements += kind == "C"


def _shown(kind: str, body: bytes) -> str:
    if kind not in HOLDS_SQL:
        return "(password)" if kind == "p" else f"({kind})"
    text = body.strip(b"\0").decode("utf-8", "replace")
    return " ".join(OPENING.sub("", text, count=1).split())[:SHOWN]


def _messages(buffer: bytearray) -> Iterator[Any]:
    """Take whole messages off the buffer: the letter or name of each, and what it holds.

    Those that start a connection have no letter: they begin with their length, thus with a 0.
    """
    while len(buffer) >= 8 or (len(buffer) >= 5 and buffer[0]):
        head = 1 if buffer[0] else 0
        size = head + int.from_bytes(buffer[head : head + 4], "big")
        if len(buffer) < size:
            return
        body = bytes(buffer[head + 4 : size])
        if head:
            kind = chr(buffer[0])
        else:
            kind, body = START_UP.get(int.from_bytes(body[:4], "big"), "StartupMessage"), b""
        del buffer[:size]
        yield kind, body


class _Relay(socketserver.BaseRequestHandler):
    server: "_Door"

    def handle(self) -> None:
        client = self.request
        self.server.counts.connections += 1
        conversation = Conversation(self.server.counts)
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server.socket_path)
            ways = {
                client: (server, conversation.client_says),
                server: (client, conversation.server_says),
            }
            while True:
                for end in select.select(list(ways), [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    other, says = ways[end]
                    says(data)
                    other.sendall(data)


class _Door(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, socket_path: str) -> None:
        self.counts, self.socket_path = Counts(), socket_path
        super().__init__(("127.0.0.1", 0), _Relay)


@contextmanager
def door(socket_path: str, counted: List[Counts]) -> Iterator[int]:
    """Yield the door's port on 127.0.0.1. Afterwards what it counted is appended to `counted`.

    The clients have to be gone by then.
    """
    server = _Door(socket_path)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()  # waits until every connection has been relayed to its end
        counted.append(server.counts)
