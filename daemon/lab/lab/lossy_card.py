"""A card of a virtual machine that loses what was not flushed when the machine is killed: an NBD server (the protocol's doc/proto.md) for QEMU.

A file as the disk would lose nothing: what QEMU has written to it is in the host's page cache, which outlives QEMU. This server keeps writes in memory until
the machine flushes them. When the machine is dead, it writes a random part of the unflushed blocks (of 4 KiB) in a random order, and drops the rest.

A machine that syncs what it writes has unflushed blocks for milliseconds only, so that a kill at a random time hardly ever meets one. The power can therefore
go at a write (`goes_at_write`): from that write on the card answers nothing.
"""

import os
import socket
import struct
import threading

BLOCK = 4096
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 4, 8
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
WITH_FUA = 1
OPTION_GO, REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 7, 1, 3, (1 << 31) | 1
OPTION_MAGIC, REPLY_MAGIC = 0x49484156454F5054, 0x3E889045565A9
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
INVALID = 22


class LossyCard:
    """The card: flushed data in a file, unflushed data in memory. Use it with `with`, for one run of a machine."""

    def __init__(self, path, socket_path):
        self.file = open(path, "r+b")  # pylint: disable=consult-using-with
        self.size = os.path.getsize(path)
        self.newest = {}
        self.unflushed = []
        self.flushes = 0
        self.writes_left = None
        self.power_is_gone, self.machine_is_dead = threading.Event(), threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        if os.path.exists(socket_path):
            os.unlink(socket_path)
        self.server.bind(socket_path)
        self.server.listen(1)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.close()

    def goes_at_write(self, number):
        """Lets the power go at a write from now on, the first of which has the number 1: that write is unflushed. `power_is_gone` tells of it."""
        self.writes_left = number

    def settle(self, chance):
        """Drops a random part of the unflushed data; returns how much was kept. The machine must have ended."""
        self.machine_is_dead.set()
        self.thread.join(20)
        share = chance.choice((0, 0.2, 0.5, 0.8, 1))
        chance.shuffle(self.unflushed)
        kept = [change for change in self.unflushed if chance.random() < share]
        for block, data in kept:
            self._put(block, data)
        self.file.close()
        return f"{len(kept)} of {len(self.unflushed)} unflushed blocks"

    def _serve(self):
        try:
            connection, _ = self.server.accept()
            with connection, connection.makefile("rb") as reader:
                if self._agree(connection, reader):
                    while self._answer(connection, reader):
                        pass
        except OSError:
            # QEMU was killed.
            pass

    def _agree(self, connection, reader):
        connection.sendall(b"NBDMAGIC" + struct.pack(">QH", OPTION_MAGIC, 3))
        reader.read(4)
        while len(head := reader.read(16)) == 16:
            _, option, length = struct.unpack(">QII", head)
            reader.read(length)
            reply = lambda kind, data=b"": connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)  # noqa: B023, E731
            if option == OPTION_GO:
                reply(REPLY_INFO, struct.pack(">HQH", 0, self.size, HAS_FLAGS | SEND_FLUSH | SEND_FUA))
                reply(REPLY_ACK)
                return True
            reply(REPLY_UNSUPPORTED)
        return False

    def _answer(self, connection, reader):
        head = reader.read(28)
        if len(head) < 28:
            return False
        _, flags, kind, cookie, at, length = struct.unpack(">IHHQQI", head)
        error, data = 0, b""
        if kind == READ:
            data = b"".join(self._get(block) for block in range(at // BLOCK, (at + length + BLOCK - 1) // BLOCK))
            data = data[at % BLOCK:at % BLOCK + length]
        elif kind == WRITE:
            written = reader.read(length)
            if len(written) < length:
                return False
            self._write(at, written)
            if self._goes_now():
                self.power_is_gone.set()
                # An answer, or an end of the connection, would be a disk that fails: the machine would see it.
                self.machine_is_dead.wait()
                return False
            if flags & WITH_FUA:
                self._flush()
        elif kind == FLUSH:
            self._flush()
        elif kind == DISCONNECT:
            return False
        else:
            error = INVALID
        connection.sendall(struct.pack(">IIQ", ANSWER_MAGIC, error, cookie) + data)
        return True

    def _goes_now(self):
        if self.writes_left is None:
            return False
        self.writes_left -= 1
        return self.writes_left <= 0

    def _write(self, at, data):
        end = at + len(data)
        while at < end:
            block, offset = divmod(at, BLOCK)
            count = min(BLOCK - offset, end - at)
            piece, data = data[:count], data[count:]
            if count < BLOCK:
                old = self._get(block)
                piece = old[:offset] + piece + old[offset + count:]
            self.newest[block] = piece
            self.unflushed.append((block, piece))
            at += count

    def _flush(self):
        self.flushes += 1
        for block, data in self.newest.items():
            self._put(block, data)
        self.newest.clear()
        self.unflushed.clear()

    def _get(self, block):
        if block in self.newest:
            return self.newest[block]
        self.file.seek(block * BLOCK)
        return self.file.read(BLOCK)

    def _put(self, block, data):
        self.file.seek(block * BLOCK)
        self.file.write(data)
