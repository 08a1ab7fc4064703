"""The time from an IDR leaving the encoder until the segment it completes is listed. Peer: nginx-rtmp behind ffmpeg.

Perch reports it (the histogram in /metrics), and it is measured from outside: the pacer records when it writes each IDR, and a client
waits for the segment with a blocking reload (`_HLS_msn`, RFC 8216bis §6.2.5.2) and records when the response arrived.
"""

import re
import statistics
import time
from pathlib import Path

import hls
from nginx import RtmpStack
from perch import Perch
from table import Result, Row, milliseconds

SEGMENTS = 10
_HISTOGRAM = "perch_segment_listing_seconds"


def observe_perch(perch: Perch) -> list[float]:
    """Seconds for each of the next segments, by blocking reload."""
    delays = []
    newest = hls.fetch_playlist(perch.playlist_url).last_sequence
    for number in range(newest + 1, newest + 1 + SEGMENTS):
        playlist = hls.parse(hls.fetch(f"{perch.playlist_url}?_HLS_msn={number}").decode())
        answered = time.monotonic()
        if playlist.last_sequence < number:
            raise RuntimeError(f"the blocking reload for {number} was answered with {playlist.last_sequence}")
        delays.append(answered - _last_idr(perch.idr_log, answered))
    return delays


def observe_peer(peer: RtmpStack) -> list[float]:
    """Seconds for each of the next segments: nginx-rtmp has no blocking reload, so its playlist file is polled (it is replaced atomically)."""
    delays = []
    before = peer.playlist_file.stat()
    while len(delays) < SEGMENTS:
        time.sleep(0.001)
        now = peer.playlist_file.stat()
        if (now.st_ino, now.st_mtime_ns) != (before.st_ino, before.st_mtime_ns):
            seen = time.monotonic()
            delays.append(seen - _last_idr(peer.idr_log, seen))
            before = now
    return delays


def _last_idr(log: Path, before: float) -> float:
    """The time at which the newest IDR before that moment left the camera. Delays are far below the two seconds between IDRs."""
    times = [int(line) / 1e9 for line in log.read_text().split()]
    return max(moment for moment in times if moment <= before)


def compare(perch: list[float], peer: list[float], metrics: str) -> Result:
    """The rows."""
    result = Result("From an IDR leaving the encoder to its segment being listed", "ffmpeg → nginx-rtmp")
    mean, worst, count = _histogram(metrics)
    result.rows = [
        Row("seen from outside, median", milliseconds(statistics.median(perch)), milliseconds(statistics.median(peer))),
        Row("seen from outside, longest", milliseconds(max(perch)), milliseconds(max(peer))),
        Row("perchd's own histogram, mean", milliseconds(mean), ""),
        Row("perchd's own histogram, longest", f"≤ {milliseconds(worst)}", ""),
    ]
    result.notes = [
        f"From outside: {SEGMENTS} segments each; from the camera's first byte of the IDR into the pipe to the answer of a blocking reload (Perch) or the playlist file being replaced (peer). A byte stream does not say where a picture ends: both sides learn it only when the next one begins, a frame (33 ms) later.",
        f"Histogram: `{_HISTOGRAM}` of /metrics, {count} segments, from the IDR's access unit being published in perchd to the playlist that lists the segment.",
    ]
    return result


def _histogram(metrics: str) -> tuple[float, float, int]:
    """Mean, upper bound of the highest bucket in use, and count."""
    total = re.search(rf"^{_HISTOGRAM}_sum(?:\{{.*?\}})? (\S+)$", metrics, re.M)
    count = re.search(rf"^{_HISTOGRAM}_count(?:\{{.*?\}})? (\S+)$", metrics, re.M)
    buckets = re.findall(rf'^{_HISTOGRAM}_bucket\{{.*?le="([^"]+)".*?\}} (\S+)$', metrics, re.M)
    if not (total and count and buckets) or float(count[1]) == 0:
        raise RuntimeError(f"/metrics has no {_HISTOGRAM}")
    highest = min((float(bound) for bound, seen in buckets if float(seen) == float(count[1])), default=float("inf"))
    return float(total[1]) / float(count[1]), highest, int(float(count[1]))
