"""What recording adds to a live stream: CPU time and bytes on the card. Peer: `ffmpeg -c copy` from the same source into a fragmented MP4 file.

All run at the same time, each with a pacer of its own, which is not counted: a live stream that is recorded, one that is not, and the peer.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import perch
import process
from nginx import pacer
from table import Result, Row, size

SETTLE_SECONDS = 8
COUNTED_SECONDS = 60
MOST_PERCENT = 0.3


@dataclass
class Observed:
    """The cost of one of them."""

    cpu_percent: float
    """Of one core."""
    written: int
    """Bytes that its files have grown by."""


def measure(perchd: Path, folder: Path, transport_stream: Path) -> Result:
    """Runs the three side by side."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(perch.own_stream(perchd, folder / "live", transport_stream, record=False))
        recorded = stack.enter_context(perch.own_stream(perchd, folder / "recorded", transport_stream, record=True))
        peer = stack.enter_context(_copy(folder / "peer", transport_stream))
        pids = {"live": live.pids, "recorded": recorded.pids, "peer": peer}
        folders = {"live": folder / "live/data/recordings", "recorded": folder / "recorded/data/recordings", "peer": folder / "peer"}
        time.sleep(SETTLE_SECONDS)
        begin, before = time.monotonic(), {name: (process.cpu_seconds(pids[name]), _bytes(folders[name])) for name in pids}
        time.sleep(COUNTED_SECONDS)
        seconds, after = time.monotonic() - begin, {name: (process.cpu_seconds(pids[name]), _bytes(folders[name])) for name in pids}
    observed = {name: Observed(100 * (after[name][0] - before[name][0]) / seconds, after[name][1] - before[name][1]) for name in pids}
    return compare(observed["live"], observed["recorded"], observed["peer"])


def compare(live: Observed, recorded: Observed, peer: Observed) -> Result:
    """The rows."""
    if live.written or not recorded.written or not peer.written:
        raise RuntimeError(f"written without recording: {live.written} bytes, recording: {recorded.written}, by the peer: {peer.written}")
    added = recorded.cpu_percent - live.cpu_percent
    ratio = peer.cpu_percent / max(added, 1e-3)
    result = Result("Recording beside live, 720p30 at 4 Mb/s", "ffmpeg -c copy")
    result.rows = [
        Row("CPU that recording adds, part of one core", f"{added:.2f} %", f"{peer.cpu_percent:.2f} %", f"{ratio:.1f} × less", f"≤ {MOST_PERCENT} %", added <= MOST_PERCENT),
        Row("CPU of the live stream that is recorded", f"{recorded.cpu_percent:.2f} %, without recording {live.cpu_percent:.2f} %", ""),
        Row("bytes written", size(recorded.written), size(peer.written), f"{peer.written / recorded.written:.2f} × less"),
    ]
    result.notes = [
        f"MPEG-TS from a sender at its own pace, three times at once. CPU clocks over {COUNTED_SECONDS} s, {SETTLE_SECONDS} s after the beginning, no viewer. Files are in a memory file system, so no card is waited for; its index is among the bytes that Perch writes.",
        "Peer: `ffmpeg -f mpegts -i pipe:0 -c copy -movflags +frag_keyframe+empty_moov+default_base_moof`: all of its CPU time, since it has no live stream beside it.",
    ]
    return result


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".mp4", ".index")) if folder.exists() else 0


@contextlib.contextmanager
def _copy(folder: Path, transport_stream: Path) -> Iterator[list[int]]:
    folder.mkdir()
    log = folder / "ffmpeg.log"
    copy = ["ffmpeg", "-nostdin", "-v", "error", "-probesize", "500k", "-f", "mpegts", "-i", "pipe:0", "-c", "copy"]
    copy += ["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", str(folder / "copy.mp4")]
    with process.running(pacer(transport_stream, folder / "idr.log"), folder / "pacer.log", stdout=subprocess.PIPE) as camera:
        with process.running(copy, log, stdin=camera.stdout) as peer:
            camera.stdout.close()  # ffmpeg has its own copy: the pacer ends when ffmpeg does
            process.wait_until("ffmpeg", lambda: _bytes(folder) > 0, 20, peer, log)
            yield [peer.pid]


