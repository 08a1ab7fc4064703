"""A network of two machines, of which one is this one and the other a network namespace, that can be cut, delayed, slowed and made to lose packets.

The kernel here may have no netem(8): what the two send each other goes through a pair of TUN devices and this process. Needs root.
"""

import collections
import contextlib
import fcntl
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

HERE, THERE = "198.18.0.1", "198.18.0.2"  # RFC 2544: for tests of networks
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_LARGEST = 65536
# What waits for a slow way: as in a router's queue, what comes when it is full is lost.
_QUEUE_BYTES = 128 << 10


@dataclass
class Way:
    """How packets fare, in both directions."""

    is_cut: bool = False
    delay: float = 0.0
    """Seconds."""
    jitter: float = 0.0
    """At most so many seconds more; packets stay in order."""
    loss: float = 0.0
    """Part of all packets."""
    bytes_a_second: float = 0.0
    """0: as many as come."""


class _Direction:
    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self.waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        self.waiting_bytes = 0
        self.free_at = 0.0

    def take(self, way: Way, chance: random.Random) -> None:
        packet = os.read(self.source, _LARGEST)
        if way.is_cut or chance.random() < way.loss or self.waiting_bytes > _QUEUE_BYTES:
            return
        now = time.monotonic()
        sent = max(now, self.free_at) + (len(packet) / way.bytes_a_second if way.bytes_a_second else 0)
        self.free_at = sent
        due = sent + way.delay + chance.random() * way.jitter
        if self.waiting:
            due = max(due, self.waiting[-1][0])
        self.waiting.append((due, packet))
        self.waiting_bytes += len(packet)

    def give(self, way: Way) -> float | None:
        """Passes on what is due; seconds until the next packet is."""
        while self.waiting:
            due, packet = self.waiting[0]
            if due > (now := time.monotonic()):
                return due - now
            self.waiting.popleft()
            self.waiting_bytes -= len(packet)
            if not way.is_cut:
                with contextlib.suppress(OSError):  # the device is being taken away
                    os.write(self.target, packet)
        return None


class Network:
    """The two ends, and the way between them, which may be changed at any time."""

    def __init__(self, namespace: str, ends: tuple[int, int]) -> None:
        self.namespace = namespace
        self.way = Way()
        self._directions = [_Direction(*ends), _Direction(*reversed(ends))]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        chance = random.Random(13)
        while not self._ended.is_set():
            pauses = [pause for direction in self._directions if (pause := direction.give(self.way)) is not None]
            ready, _, _ = select.select([direction.source for direction in self._directions], [], [], min([0.1, *pauses]))
            for direction in self._directions:
                if direction.source in ready:
                    direction.take(self.way, chance)

    def end(self) -> None:
        """Stops passing packets on."""
        self._ended.set()
        self._thread.join()


def _tun(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return end


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """This machine is HERE; a program that is started by `ip netns exec` in its namespace is THERE."""
    if os.geteuid() != 0:
        raise SystemExit("a network that can be cut needs root")
    name = f"perch{os.getpid()}"
    here, there = f"{name[:13]}h", f"{name[:13]}t"
    with contextlib.ExitStack() as stack:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "del", name)
        ends = _tun(here), _tun(there)
        for end in ends:
            stack.callback(os.close, end)
        _ip("link", "set", there, "netns", name)
        _ip("address", "add", f"{HERE}/32", "peer", THERE, "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", name, "address", "add", f"{THERE}/32", "peer", HERE, "dev", there)
        _ip("-n", name, "link", "set", there, "up")
        between = Network(name, ends)
        stack.callback(between.end)
        yield between
