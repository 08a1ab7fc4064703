"""A person in a chat, over a WebSocket (RFC 6455), as a browser is."""

import base64
import json
import os
import socket
import struct

from .failure import Failure, require

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Chat:
    """A connection to a stream's chat, for one thread."""

    def __init__(self, port, stream, token, seconds=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f"GET /api/v1/streams/{stream}/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode())
        self.reader = self.socket.makefile("rb")
        status = self.reader.readline()
        require(b" 101 " in status, f"the chat does not open: {status}")
        while self.reader.readline() not in (b"\r\n", b""):
            pass

    def close(self):
        """Closes the connection without a closing handshake."""
        self.reader.close()
        self.socket.close()

    def say(self, text):
        """Says something and waits until it is stored; returns the message's id."""
        self._send(TEXT, json.dumps({"type": "message", "text": text, "client_id": text}).encode())
        while True:
            kind, payload = self._receive()
            if kind == PING:
                self._send(PONG, payload)
            elif kind == CLOSE:
                raise Failure(f"the chat was closed: {payload[2:]}")
            elif kind == TEXT:
                line = json.loads(payload)
                require(line["type"] != "error", f"the chat refuses a message: {line}")
                if line.get("client_id") == text:
                    return line["id"]

    def _send(self, kind, payload):
        require(len(payload) < 126, "longer frames are not needed here")
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.socket.sendall(bytes((0x80 | kind, 0x80 | len(payload))) + mask + masked)

    def _receive(self):
        first, length = self._read(2)
        if length == 126:
            length, = struct.unpack(">H", self._read(2))
        elif length == 127:
            length, = struct.unpack(">Q", self._read(8))
        return first & 0x0F, self._read(length)

    def _read(self, count):
        got = self.reader.read(count)
        require(len(got) == count, "the chat's connection broke")
        return got
