"""A stream beside people who search: 10,000 streams in the store, 50 searches and lists a second by people without an account, and what they do to the stream.
There is no peer.
"""

import contextlib
import http.client
import itertools
import statistics
import subprocess
import threading
import time
from pathlib import Path

import hls
import listing
import perch
import process
from table import Result, Row, milliseconds

PER_SECOND = 50
CONNECTIONS = 8
MOST_DELAY = 0.010
"""Seconds that the searches may add to the listing of a segment."""
PATHS = [
    "/api/v1/streams",
    "/api/v1/streams?sort=views",
    "/api/v1/streams?state=recorded",
    "/api/v1/streams?q=s&sort=relevance",
    "/api/v1/streams?q=so+ka&sort=relevance",
    "/api/v1/streams?q=user77&sort=relevance",
    "/api/v1/streams?q=s+k+n+r+m+t+l+v&sort=relevance",
    "/api/v1/streams?user=user7",
    "/api/v1/users/user7",
    "/api/v1/recordings?user=user7",
]


def measure(perchd: Path, example: Path, folder: Path, clip: Path) -> Result:
    """Writes the store with the example, goes live beside it, and searches."""
    data = folder / "data"
    data.mkdir(parents=True)
    subprocess.run([str(example), str(data / "perch.redb")], check=True, timeout=900)
    with perch.idle(perchd, folder, clip) as stream:
        stream.post("/api/v1/streams", {"title": "bench", "record": False}, stream.set_up())
        _wait_for_segment(stream)
        return _beside(stream)


def _wait_for_segment(stream: perch.Perch) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if hls.fetch_playlist(stream.playlist_url).segments:
                return
        time.sleep(0.1)
    raise RuntimeError("no segment within 30 s")


def _beside(stream: perch.Perch) -> Result:
    quiet_used, quiet_seconds, quiet = _observed(stream)
    load = _Load(stream.port)
    load.start()
    try:
        busy_used, busy_seconds, busy = _observed(stream)
    finally:
        load.stop()
    if load.errors:
        raise RuntimeError(f"{len(load.errors)} of {len(load.seconds)} searches failed: {load.errors[0]}")
    done = sorted(load.seconds)
    added = statistics.median(busy) - statistics.median(quiet)
    each = (busy_used / busy_seconds - quiet_used / quiet_seconds) * busy_seconds / len(done)
    result = Result("10,000 streams, 50 searches a second by strangers, and a stream", "")
    result.rows = [
        Row("searches answered", f"{len(done) / busy_seconds:.1f}/s", "", "", f"{PER_SECOND}/s", len(done) / busy_seconds > PER_SECOND * 0.98),
        Row("a search, median, 99 of 100, longest", f"{milliseconds(done[len(done) // 2])}, {milliseconds(done[len(done) * 99 // 100])}, {milliseconds(done[-1])}", ""),
        Row("CPU of a search", milliseconds(each), ""),
        Row(
            "segment listed after its IDR while they search, median",
            f"{milliseconds(statistics.median(busy))}, without them {milliseconds(statistics.median(quiet))}",
            "",
            "",
            f"at most {milliseconds(MOST_DELAY)} more",
            added <= MOST_DELAY,
        ),
        Row("the same, longest", f"{milliseconds(max(busy))}, without them {milliseconds(max(quiet))}", ""),
    ]
    result.notes = [
        f"{len(PATHS)} different requests in turn over {CONNECTIONS} kept-alive connections: lists by age, views and state, texts of one to eight words, a profile, an account's streams and recordings. {listing.SEGMENTS} segments before and during.",
    ]
    return result


def _observed(stream: perch.Perch) -> tuple[float, float, list[float]]:
    used, began = process.cpu_seconds(stream.pids), time.monotonic()
    delays = listing.observe_perch(stream)
    return process.cpu_seconds(stream.pids) - used, time.monotonic() - began, delays


class _Load:
    """Requests at a fixed rate; one that is late is not left out."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._began = 0.0
        self._threads = [threading.Thread(target=self._ask) for _ in range(CONNECTIONS)]

    def start(self) -> None:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._over.is_set():
            with self._lock:
                number = next(self._numbers)
            due = self._began + number / PER_SECOND
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            asked = time.monotonic()
            connection.request("GET", PATHS[number % len(PATHS)])
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                self.errors.append(f"{PATHS[number % len(PATHS)]}: {answer.status} {text.decode(errors='replace')[:200]}")
            self.seconds.append(time.monotonic() - asked)
