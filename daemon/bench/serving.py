"""Requests and bytes a second of a segment of about 1 MB and of the playlist. Peer: nginx with the same bytes as static files.

Loader and server share the machine's cores, so the two sides take turns, and what counts is the median of the turns' ratios.
"""

import statistics
import time
import urllib.parse
from pathlib import Path

import hls
import nginx
import process
import wrk
from perch import Perch
from table import Result, Row, size

CONNECTIONS = (16, 256, 1000)
ROUNDS = 5
SECONDS = 3
_FULL_WINDOW_SECONDS = 56


def measure(perch: Perch, folder: Path) -> Result:
    """Waits until perchd's window is full, so that the playlist has its usual length."""
    deadline = time.monotonic() + 70
    while hls.fetch_playlist(perch.playlist_url).seconds < _FULL_WINDOW_SECONDS:
        if time.monotonic() > deadline:
            raise RuntimeError("perchd's window does not fill")
        time.sleep(1)
    result = Result("Serving, requests a second over kept-alive connections", "nginx, static files")
    segment = hls.fetch(_newest_segment(perch))
    files = {"segment.ts": segment, "index.m3u8": hls.fetch(perch.playlist_url)}
    with nginx.static_server(folder, files) as (port, nginx_pids):
        peer = f"http://127.0.0.1:{port}"
        # The newest segment in each round: it stays available longer than a round takes.
        for name, ours in (("segment.ts", lambda: _newest_segment(perch)), ("index.m3u8", lambda: perch.playlist_url)):
            for connections in CONNECTIONS:
                result.rows.append(_compare(name, len(files[name]), connections, ours, f"{peer}/{name}", perch.pids, nginx_pids))
    result.notes = [
        f"wrk on the same machine over loopback; {ROUNDS} rounds of {SECONDS} s a side, in turn; medians; in brackets the least and the greatest of the rounds' ratios. \"µs\" is the server's own CPU time a request: it does not depend on what the loader takes from the same cores.",
        "nginx: worker_processes auto, sendfile, tcp_nopush, no access log, no limit of requests a connection, no open_file_cache (it would serve live playlists stale), the same caching and CORS headers, files in a memory file system. perchd goes on with its live stream meanwhile, during its own rounds and nginx's.",
    ]
    return result


def _newest_segment(perch: Perch) -> str:
    name, _ = hls.fetch_playlist(perch.playlist_url).segments[-1]
    return urllib.parse.urljoin(perch.playlist_url, name)


def _compare(name: str, length: int, connections: int, perch_url, peer_url: str, perch_pids: list[int], peer_pids: list[int]) -> Row:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_round(perch_url(), connections, perch_pids))
        theirs.append(_round(peer_url, connections, peer_pids))
    ratios = [perch_rate / peer_rate for (perch_rate, *_), (peer_rate, *_) in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    spread = f"{ratio:.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"
    what = f"{name} ({size(length)}), {connections:,} connections"
    return Row(what, _figures(ours, length), _figures(theirs, length), spread, "not slower", round(ratio, 2) >= 1)


def _round(url: str, connections: int, pids: list[int]) -> tuple[float, float, float]:
    """Requests a second, bytes a second, server's CPU seconds per byte (counting whole requests only would omit those in progress at the end)."""
    used = process.cpu_seconds(pids)
    round_ = wrk.load(url, connections, SECONDS)
    used = process.cpu_seconds(pids) - used
    if round_.errors or not round_.requests:
        raise RuntimeError(f"{url} with {connections} connections: {round_.errors} errors in {round_.requests} requests")
    return round_.requests / round_.seconds, round_.bytes / round_.seconds, used / round_.bytes


def _figures(rounds: list[tuple[float, float, float]], request_bytes: int) -> str:
    rate, throughput, cpu = (statistics.median(column) for column in zip(*rounds))
    return f"{rate:,.0f}/s, {size(throughput)}/s, {cpu * request_bytes * 1e6:.0f} µs"
