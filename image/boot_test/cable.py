"""The cable between the board and the computer that tests it: a network of their own, without DHCP and with no other computer.

The computer's end is a tap device in a network namespace, in which the whole test runs; so it resolves the board's name and fetches its site as
any computer beside it does. This module is the computer's end; machine.py gives the other end to QEMU.
"""

import contextlib
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

DEVICE = "cable"
_HERE = "169.254.77.1"
_ANSWERED_BY = ("224.0.0.251", 5353)
_ALREADY = "PERCH_BOOT_TEST_HAS_CABLE"


def lay() -> None:
    """Restarts this program with the cable plugged in. It needs no privileges outside its own namespace."""
    if os.environ.get(_ALREADY) != "1":
        os.execvpe("unshare", ["unshare", "--user", "--map-root-user", "--net", sys.executable, *sys.argv], os.environ | {_ALREADY: "1"})
    for command in (
        "link set lo up", f"tuntap add {DEVICE} mode tap", f"address add {_HERE}/16 dev {DEVICE}", f"link set {DEVICE} up",
    ):
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"boot test: ip {command}: {done.stderr.strip()} (a kernel with tap devices is needed, and /dev/net/tun)")


def find(name: str, seconds: float) -> str | None:
    """The address of a name, asked by multicast DNS on the cable as a program without a responder of its own does (RFC 6762, section 6.7); None without
    an answer."""
    number = random.randrange(1, 1 << 16)
    # One question: type A, class IN.
    question = struct.pack("!6H", number, 0, 1, 0, 0, 0) + name_in_labels(name) + struct.pack("!2H", 1, 1)
    until = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_HERE))
        asking.bind((_HERE, 0))
        asking.settimeout(1)
        while time.monotonic() < until:
            with contextlib.suppress(OSError):  # no cable at the other end, no answer yet
                asking.sendto(question, _ANSWERED_BY)
                if address := address_in(asking.recv(9000), number):
                    return address
    return None


def address_in(answer: bytes, number: int) -> str | None:
    """The first IPv4 address in an answer to the question of that number."""
    with contextlib.suppress(struct.error, IndexError):  # cut off
        answered, flags, questions, answers = struct.unpack_from("!4H", answer)
        if answered != number or not flags & 0x8000:
            return None
        at = 12
        for _ in range(questions):
            at = _name_at(answer, at)[1] + 4
        for _ in range(answers):
            at = _name_at(answer, at)[1]
            kind, _, _, length = struct.unpack_from("!2HIH", answer, at)
            at += 10
            if kind == 1 and length == 4:
                return socket.inet_ntop(socket.AF_INET, answer[at : at + 4]) if at + 4 <= len(answer) else None
            at += length
    return None


def names_asked_for(message: bytes) -> list[str]:
    """The names in a message's questions, in lower case; none for a response."""
    names: list[str] = []
    with contextlib.suppress(struct.error, IndexError):  # cut off
        _, flags, questions = struct.unpack_from("!3H", message)
        at = 12
        for _ in range(0 if flags & 0x8000 else questions):
            name, at = _name_at(message, at)
            names.append(name)
            at += 4
    return names


class Neighbour:
    """Another computer on the cable that owns a name: it answers questions for it (RFC 6762, section 6), and defends it
    (section 8.1). Use it as a context manager."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("", _ANSWERED_BY[1]))
        here = socket.inet_aton(_HERE)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(_ANSWERED_BY[0]) + here)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)

    def __enter__(self) -> "Neighbour":
        threading.Thread(target=self._answer, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _answer(self) -> None:
        # Valid for 120 s; the cache-flush bit claims the name exclusively (section 10.2).
        answer = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + name_in_labels(self._name) + struct.pack("!2HIH", 1, 0x8001, 120, 4) + socket.inet_aton(_HERE)
        with contextlib.suppress(OSError):  # closed
            while True:
                if self._name in names_asked_for(self._socket.recv(9000)):
                    self._socket.sendto(answer, _ANSWERED_BY)


def name_in_labels(name: str) -> bytes:
    """A name in wire format (RFC 1035, section 3.1)."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _name_at(message: bytes, at: int) -> tuple[str, int]:
    """A name in lower case, and the position after it. A name may end with a pointer: two bytes with the position of its rest in the message
    (RFC 1035, section 4.1.4), so that several names of one domain contain the domain once."""
    labels: list[str] = []
    after, begin = None, at
    while length := message[at]:
        if length >= 0xC0:
            rest = (length & 0x3F) << 8 | message[at + 1]
            if rest >= begin:  # A pointer must lead back, before everything read so far; otherwise there may be a cycle.
                raise IndexError(rest)
            after, begin, at = after or at + 2, rest, rest
        else:
            labels.append(message[at + 1 : at + 1 + length].decode(errors="replace").lower())
            at += 1 + length
    return ".".join(labels), after or at + 1
