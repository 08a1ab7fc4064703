"""Tests of the card that loses what was not flushed, through its own protocol: `python3 -m unittest discover daemon/lab`."""

import os
import random
import socket
import struct
import tempfile
import unittest

from lab import lossy_card
from lab.lossy_card import BLOCK, FLUSH, READ, WRITE, WITH_FUA


class Machine:
    """What a machine asks of its card."""

    def __init__(self, path):
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.settimeout(5)
        self.wire.connect(path)
        self.reader = self.wire.makefile("rb")
        self.reader.read(18)
        self.wire.sendall(struct.pack(">I", 1) + struct.pack(">QII", lossy_card.OPTION_MAGIC, lossy_card.OPTION_GO, 0))
        self.reader.read(20 + 12 + 20)

    def begin(self, kind, at=0, data=b"", flags=0):
        """Sends a request."""
        self.wire.sendall(struct.pack(">IHHQQI", lossy_card.REQUEST_MAGIC, flags, kind, 1, at, len(data) or BLOCK) + data)

    def ask(self, kind, at=0, data=b"", flags=0):
        """Sends a request and waits for its answer."""
        self.begin(kind, at, data, flags)
        head = self.reader.read(16)
        if len(head) < 16:
            raise EOFError
        return self.reader.read(BLOCK) if kind == READ else b""

    def close(self):
        """Dies."""
        self.reader.close()
        self.wire.close()


class Cards(unittest.TestCase):
    """What is left of what was written."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path, self.socket = f"{folder.name}/card", f"{folder.name}/socket"
        with open(self.path, "wb") as file:
            file.truncate(64 * BLOCK)

    def left(self):
        """The first byte of each block."""
        with open(self.path, "rb") as file:
            data = file.read()
        return data[::BLOCK]

    def test_what_was_flushed_stays_and_of_the_rest_a_part(self):
        shares = set()
        for seed in range(20):
            with lossy_card.LossyCard(self.path, self.socket) as card:
                machine = Machine(self.socket)
                for block in range(32):
                    machine.ask(WRITE, block * BLOCK, b"1" * BLOCK)
                machine.ask(FLUSH)
                for block in range(32):
                    machine.ask(WRITE, block * BLOCK, b"2" * BLOCK)
                self.assertEqual(machine.ask(READ, 5 * BLOCK), b"2" * BLOCK)
                machine.close()
                said = card.settle(random.Random(seed))
            self.assertEqual(set(self.left()[:32]) - set(b"12"), set())
            kept = self.left()[:32].count(b"2")
            self.assertEqual(said, f"{kept} of 32 unflushed blocks")
            shares.add(kept)
        self.assertTrue({0, 32} < shares, shares)

    def test_the_power_goes_at_a_write_which_is_never_answered(self):
        for flags in (0, WITH_FUA):
            with lossy_card.LossyCard(self.path, self.socket) as card:
                machine = Machine(self.socket)
                machine.ask(WRITE, 0, b"1" * BLOCK)
                card.goes_at_write(2)
                machine.ask(WRITE, BLOCK, b"1" * BLOCK)
                self.assertFalse(card.power_is_gone.is_set())
                machine.begin(WRITE, 2 * BLOCK, b"1" * BLOCK, flags)
                self.assertTrue(card.power_is_gone.wait(5))
                machine.begin(FLUSH)
                machine.wire.settimeout(0.05)
                with self.assertRaises(TimeoutError):
                    machine.wire.recv(1)
                machine.close()
                said = card.settle(random.Random(1))
            self.assertTrue(said.endswith("of 3 unflushed blocks"), said)
            os.truncate(self.path, 0)
            os.truncate(self.path, 64 * BLOCK)


if __name__ == "__main__":
    unittest.main()
