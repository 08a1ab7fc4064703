"""One live stream with one viewer: CPU time and resident memory. Peer: ffmpeg → RTMP → nginx-rtmp → HLS.

The same pacer plays the camera on both sides; pacer and viewer are not counted on either.
"""

import time
from dataclasses import dataclass

import hls
import process
from nginx import RtmpStack
from perch import Perch
from table import Result, Row, size

SETTLE_SECONDS = 8
COUNTED_SECONDS = 60
MEMORY_SAMPLES = 5
"""One sample a second: memory varies with the segment being written."""
_MEMORY_TARGET = 12_000_000


@dataclass
class Observed:
    """The cost of one live stream."""

    cpu_percent: float
    """Of one core."""
    wake_ups: float
    """A second, of all threads: how often one waited and was run again."""
    rss: int
    pss: int
    window_bytes: int
    window_seconds: float
    viewer_segments: int
    viewer_bytes: int


def observe(stream: Perch | RtmpStack) -> Observed:
    """Watches a running stream with one viewer on it, until its window is full."""
    viewer = hls.Viewer(stream.playlist_url)
    viewer.start()
    try:
        time.sleep(SETTLE_SECONDS)
        begin, used, woken = time.monotonic(), process.cpu_seconds(stream.pids), process.wake_ups(stream.pids)
        time.sleep(COUNTED_SECONDS)
        seconds, used = time.monotonic() - begin, process.cpu_seconds(stream.pids) - used
        woken = process.wake_ups(stream.pids) - woken
        rss, pss, window = max((_memory(stream) for _ in range(MEMORY_SAMPLES)), key=lambda sample: sample[0] - sample[2])
    finally:
        viewer.stop()
    if viewer.complaints or viewer.segments < COUNTED_SECONDS // 2:
        raise RuntimeError(f"the viewer got {viewer.segments} segments; complaints: {viewer.complaints[:3]}")
    length = hls.fetch_playlist(stream.playlist_url).seconds
    return Observed(100 * used / seconds, woken / seconds, rss, pss, window, length, viewer.segments, viewer.bytes)


def _memory(stream: Perch | RtmpStack) -> tuple[int, int, int]:
    time.sleep(1)
    return (*process.memory(stream.pids), hls.window_bytes(stream.playlist_url))


def compare(perch: Observed, timed: Observed, peer: Observed) -> Result:
    """The rows. `timed`: Perch given the same pictures as MPEG-TS, which carries their times."""
    result = Result("A live stream, 720p30 at 4 Mb/s, one viewer", "ffmpeg → nginx-rtmp")

    def cpu(what: str, ours: Observed, target: int) -> Row:
        ratio = peer.cpu_percent / max(ours.cpu_percent, 1e-6)
        return Row(f"CPU, part of one core, {what}", f"{ours.cpu_percent:.2f} %", f"{peer.cpu_percent:.2f} %", f"{ratio:.1f} × less", f"≥ {target} × less", ratio >= target)

    above = perch.rss - perch.window_bytes
    result.rows = [
        cpu("from H.264 without times", perch, 6),
        cpu("from MPEG-TS", timed, 10),
        Row("wake-ups a second, from H.264 without times", f"{perch.wake_ups:.0f}", f"{peer.wake_ups:.0f}", f"{peer.wake_ups / max(perch.wake_ups, 1):.1f} × less"),
        Row("wake-ups a second, from MPEG-TS", f"{timed.wake_ups:.0f}", f"{peer.wake_ups:.0f}", f"{peer.wake_ups / max(timed.wake_ups, 1):.1f} × less"),
        Row("resident memory (RSS)", size(perch.rss), size(peer.rss), f"{peer.rss / perch.rss:.1f} × less"),
        Row("of it the segments that the playlist lists", size(perch.window_bytes), f"0 B ({size(peer.window_bytes)} in files)"),
        Row("RSS above the window's bytes", size(above), size(peer.rss), f"{peer.rss / above:.1f} × less", f"< {size(_MEMORY_TARGET)}", above < _MEMORY_TARGET),
        Row("PSS above the window's bytes", size(perch.pss - perch.window_bytes), size(peer.pss), f"{peer.pss / (perch.pss - perch.window_bytes):.1f} × less"),
    ]
    result.notes = [
        "Camera: a sender that plays the same H.264 at its own pace into a pipe; not counted on either side. Perch: perchd alone (its `command` child is that camera; encoder: none). Peer: ffmpeg (`-f h264 -i pipe:0 -c copy -f flv`) and nginx, master and workers.",
        f"CPU: the processes' CPU clocks (user and system time) over {COUNTED_SECONDS} s, {SETTLE_SECONDS} s after the first segment was listed. The viewer asks for the playlist each second and takes each segment once: {perch.viewer_segments} segments and {size(perch.viewer_bytes)} from Perch, {peer.viewer_segments} and {size(peer.viewer_bytes)} from the peer.",
        f"Memory: /proc/PID/smaps_rollup at the end (the greatest of {MEMORY_SAMPLES} samples a second apart), RSS and all that is held in memory files (memfd), mapped or not, with {perch.window_seconds:.0f} s listed (peer {peer.window_seconds:.0f} s). nginx-rtmp writes its window to files (here in memory, which its figure leaves out); Perch holds it in its own memory.",
    ]
    return result
