"""A recording of ten hours and 18 GB as one MP4 file: how fast it begins and how fast it comes. Peer: nginx with a static file of that size.

Both files are holes in a memory file system: what is measured is the way from the page cache to the socket. The sides take turns, and what counts is
the median of the turns' ratios.
"""

import http.client
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import nginx
import perch
import process
import wrk
from table import Result, Row, milliseconds, size

CONNECTIONS = (1, 4, 16)
ROUNDS = 5
SECONDS = 3
MOST_SECONDS_TO_FIRST_BYTE = 0.1
MOST_RESIDENT = 40_000_000
PEOPLE = 4
"""Who download at once while memory is looked at."""
PACE = 20_000_000
"""Bytes a second that a client over Wi-Fi takes."""
HEAD_BYTES = 4_000_000
"""Of the computed head of ten hours, which is a little longer."""


@dataclass
class Round:
    """One side's turn."""

    bytes_per_second: float
    cpu_per_byte: float
    """The server's, in seconds."""
    loader_per_byte: float
    """The loader's, likewise."""


def measure(perchd: Path, example: Path, folder: Path, clip: Path) -> Result:
    """`example`: perch-studio's `ten_hours`."""
    folder.mkdir()
    laid = subprocess.run([str(example), str(clip), str(folder / "perch" / "data")], capture_output=True, text=True, timeout=120, check=True)
    path = f"/media/{laid.stdout.strip()}/recording.mp4"
    result = Result("Downloading a recording of ten hours", "nginx, static file")
    with perch.idle(perchd, folder / "perch", clip) as ours, nginx.static_server(folder / "peer", {}) as (port, nginx_pids):
        first, length = _first_byte(ours.port, path, 0)
        again, _ = _first_byte(ours.port, path, 0)
        seek, _ = _first_byte(ours.port, path, length // 2)
        with (folder / "peer" / "www" / "recording.mp4").open("wb") as file:
            file.truncate(length)
        theirs, _ = _first_byte(port, "/recording.mp4", 0)
        used = process.cpu_seconds(ours.pids)
        _take(ours.port, path, HEAD_BYTES)
        head = process.cpu_seconds(ours.pids) - used
        result.rows = [
            Row("first byte, asked for the first time", milliseconds(first), milliseconds(theirs), "", f"≤ {milliseconds(MOST_SECONDS_TO_FIRST_BYTE)}", first <= MOST_SECONDS_TO_FIRST_BYTE),
            Row("first byte, again; of a seek to the middle", f"{milliseconds(again)}; {milliseconds(seek)}", ""),
            Row("CPU of the computed head", milliseconds(head), ""),
        ]
        urls = f"http://127.0.0.1:{ours.port}{path}", f"http://127.0.0.1:{port}/recording.mp4"
        resident = 0
        for connections in CONNECTIONS:
            rounds = [(_round(urls[0], connections, ours.pids), _round(urls[1], connections, nginx_pids)) for _ in range(ROUNDS)]
            result.rows.append(compare(connections, rounds))
            if connections == PEOPLE:
                resident = process.memory(ours.pids)[0]
        paces = [(_paced(ours.port, path, ours.pids), _paced(port, "/recording.mp4", nginx_pids)) for _ in range(ROUNDS)]
        result.rows.append(compare_paced(paces))
    result.rows.append(Row(f"resident memory after {PEOPLE} downloads at once", size(resident), "", "", f"< {size(MOST_RESIDENT)}", resident < MOST_RESIDENT))
    result.notes = [
        f"wrk on the same machine over loopback; {ROUNDS} rounds of {SECONDS} s a side, in turn; medians; in brackets the least and the greatest of the rounds' ratios. The file has {size(length)}: no download comes to its end. \"ms/GB\" is the server's CPU time and, after the plus sign, the loader's. Only the sum can be compared: over loopback the kernel carries a packet to its receiver while it serves one of the two, whichever has something to do.",
        f"The row at {size(PACE)}/s: one client that takes so much and no more, from the middle of the file; the server's CPU alone, since the client mostly waits.",
        "perchd computes the file's head out of the recording's index for each download; nothing is live. nginx: worker_processes auto, sendfile, tcp_nopush, no access log.",
    ]
    return result


def _first_byte(port: int, path: str, at: int) -> tuple[float, int]:
    """Seconds until the byte at `at` and what follows it begin to come; the file's length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    began = time.monotonic()
    connection.request("GET", path, headers={"Range": f"bytes={at}-"})
    answer = connection.getresponse()
    if answer.status != 206 or not answer.read(1):
        raise RuntimeError(f"{path} answered {answer.status}")
    seconds = time.monotonic() - began
    length = int(answer.headers["Content-Range"].rpartition("/")[2])
    connection.close()
    return seconds, length


def _take(port: int, path: str, count: int, at: int = 0, pace: float = 0) -> None:
    """Takes so many bytes from `at` on, at `pace` bytes a second if it is not 0."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Range": f"bytes={at}-{at + count - 1}"})
    answer = connection.getresponse()
    began, taken = time.monotonic(), 0
    while taken < count:
        read = len(answer.read(min(1 << 16, count - taken)))
        if not read:
            raise RuntimeError(f"{path} ended after {taken} of {count} bytes")
        taken += read
        if pace:
            time.sleep(max(0, began + taken / pace - time.monotonic()))
    connection.close()


def _paced(port: int, path: str, pids: list[int]) -> float:
    """The server's CPU seconds a byte for one client at PACE."""
    count = PACE * SECONDS
    used = process.cpu_seconds(pids)
    _take(port, path, count, 9_000_000_000, PACE)
    return (process.cpu_seconds(pids) - used) / count


def compare_paced(paces: list[tuple[float, float]]) -> Row:
    """The row for clients at PACE, from the turns of both sides."""
    ratios = [theirs / ours for ours, theirs in paces]
    ours, theirs = (f"{statistics.median(side) * 1e12:.0f} ms/GB" for side in zip(*paces))
    return Row(f"CPU at {size(PACE)}/s", ours, theirs, f"{statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})")


def _round(url: str, connections: int, pids: list[int]) -> Round:
    used = process.cpu_seconds(pids)
    load = wrk.load(url, connections, SECONDS)
    used = process.cpu_seconds(pids) - used
    if load.errors or not load.bytes:
        raise RuntimeError(f"{url} with {connections} connections: {load.errors} errors, {load.bytes} bytes")
    return Round(load.bytes / load.seconds, used / load.bytes, load.cpu_seconds / load.bytes)


def compare(connections: int, rounds: list[tuple[Round, Round]]) -> Row:
    """The row for so many connections, from the turns of both sides."""
    ratios = [ours.bytes_per_second / theirs.bytes_per_second for ours, theirs in rounds]
    ratio = statistics.median(ratios)
    spread = f"{ratio:.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"
    what = f"{connections} connection{'s' if connections > 1 else ''}"
    return Row(what, *(_figures(side) for side in zip(*rounds)), spread, "not slower", round(ratio, 2) >= 1)


def _figures(rounds: tuple[Round, ...]) -> str:
    rate = statistics.median(round_.bytes_per_second for round_ in rounds)
    cpu, loader = (statistics.median(values) * 1e12 for values in zip(*((round_.cpu_per_byte, round_.loader_per_byte) for round_ in rounds)))
    return f"{size(rate)}/s, {cpu:.0f} + {loader:.0f} ms/GB"
