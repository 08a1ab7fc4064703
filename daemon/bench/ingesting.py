"""What streams cost that programs send by RTMP: CPU time and memory of 1, 4 and 16 of them, each made into HLS. Peer: nginx-rtmp doing the same.

Both sides take the same streams at the same time, each from a sender of its own, which is not counted. Nobody watches.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hls
import nginx
import perch
import process
from table import Result, Row, size

STREAMS = (1, 4, 16)
SETTLE_SECONDS = 10
COUNTED_SECONDS = 60
_INGEST = """
[ingest]
enabled = true
listen = ["127.0.0.1:{port}"]
max_streams = {count}
"""


@dataclass
class Observed:
    """The cost of one side."""

    cpu_percent: float
    """Of one core."""
    rss: int
    """With the playlists' windows, which Perch keeps in its memory and nginx-rtmp in files of a memory file system."""


def measure(perchd: Path, folder: Path, transport_stream: Path) -> Result:
    """Each number of streams."""
    folder.mkdir()
    result = Result("Streams from other programs by RTMP, 720p30 at 4 Mb/s, made into HLS", "nginx-rtmp")
    for count in STREAMS:
        result.rows += _round(perchd, folder / str(count), transport_stream, count)
    result.notes = [
        f"Each stream comes from an `ffmpeg -re -c copy` of its own, which is not counted. CPU clocks over {COUNTED_SECONDS} s, {SETTLE_SECONDS} s after all streams were listed, no viewer; memory at the end.",
        "Both keep 60 s in the playlist; memory includes these segments: Perch's own, nginx-rtmp's files in a memory file system (a few more than are listed).",
    ]
    return result


def compare(count: int, ours: Observed, theirs: Observed) -> list[Row]:
    """The rows for so many streams."""
    streams = "1 stream" if count == 1 else f"{count} streams"
    ratio = theirs.cpu_percent / ours.cpu_percent
    return [
        Row(f"CPU of {streams}, part of one core", f"{ours.cpu_percent:.2f} %", f"{theirs.cpu_percent:.2f} %", f"{ratio:.1f} × less", "not more", round(ratio, 1) >= 1),
        Row(f"memory of {streams}", size(ours.rss), size(theirs.rss), f"{theirs.rss / ours.rss:.1f} × less"),
    ]


def _round(perchd: Path, folder: Path, transport_stream: Path, count: int) -> list[Row]:
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        ours, our_urls = stack.enter_context(_ingested(perchd, folder / "perch", count))
        www = folder / "peer" / "www"
        peer_port, theirs = stack.enter_context(nginx.rtmp_to_hls(folder / "peer"))
        their_urls = [f"rtmp://127.0.0.1:{peer_port}/live/stream-{n}" for n in range(count)]
        for n, url in enumerate(our_urls + their_urls):
            sender = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-f", "mpegts", "-i", str(transport_stream), "-c", "copy"]
            sender += ["-flvflags", "no_duration_filesize", "-f", "flv", url]
            stack.enter_context(process.running(sender, folder / f"sender-{n}.log"))
        _wait_for("Perch", count, lambda: len(ours.streams()))
        _wait_for("nginx-rtmp", count, lambda: len(list(www.glob("*.m3u8"))))
        time.sleep(SETTLE_SECONDS)
        sides = {"perch": ours.pids, "peer": theirs}
        begin, before = time.monotonic(), {name: process.cpu_seconds(pids) for name, pids in sides.items()}
        time.sleep(COUNTED_SECONDS)
        seconds, after = time.monotonic() - begin, {name: process.cpu_seconds(pids) for name, pids in sides.items()}
        lengths = [hls.fetch_playlist(f"http://127.0.0.1:{ours.port}/media/{stream}/index.m3u8").seconds for stream in ours.streams()]
        lengths += [hls.parse(playlist.read_text()).seconds for playlist in www.glob("*.m3u8")]
        if len(lengths) != 2 * count or min(lengths) < 50:
            raise RuntimeError(f"not everything arrives: the playlists hold {lengths} s")
        rss = {"perch": process.memory(ours.pids)[0], "peer": process.memory(theirs)[0] + sum(file.stat().st_size for file in www.iterdir())}
        observed = {name: Observed(100 * (after[name] - before[name]) / seconds, rss[name]) for name in sides}
    return compare(count, observed["perch"], observed["peer"])


def _wait_for(side: str, count: int, there) -> None:
    deadline = time.monotonic() + 60
    while there() < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{side} has {there()} of {count} streams")
        time.sleep(0.2)


@contextlib.contextmanager
def _ingested(perchd: Path, folder: Path, count: int) -> Iterator[tuple[perch.Perch, list[str]]]:
    """A perchd without a camera's stream, and where each of so many accounts sends its own."""
    port = process.free_port()
    with perch.idle(perchd, folder, folder / "none", _INGEST.format(port=port, count=count)) as stream:
        owner = stream.set_up()
        stream.patch("/api/v1/settings", {"registration": "open", "new_user_role": "streamer"}, owner)
        keys = []
        for n in range(count):
            account = {"username": f"sender-{n}", "password": perch.ACCOUNT["password"]}
            token = stream.post("/api/v1/auth/register", account)["access_token"]
            stream.patch("/api/v1/me/ingest", {"record": False}, token)
            keys.append(stream.post("/api/v1/me/ingest/key", {}, token)["key"])
        yield stream, [f"rtmp://127.0.0.1:{port}/live/{key}" for key in keys]
