#!/usr/bin/env python3
"""Four hundred connections that ask for a segment and then take one packet of it every 19 s, each on the newest segment there is: `slow_readers.py PERCHD [--seconds N] [--table FILE]`.

What they hold would be 250 MB and more, and the unit's MemoryMax would end perchd. Ends with an error where perchd holds more than its unit may, or somebody else does not get
what they ask for. Loopback only; needs ffmpeg, and unshare(1) of util-linux.
"""

import argparse
import contextlib
import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import perchd as daemon
from perchd import Perchd, mib, milliseconds
from table import Table

READERS = 400
# Just within the time after which perchd drops a peer that takes nothing.
PAUSE = 19
PACKET = 1448
BITRATE = 8_000_000


def make_clip(folder: Path) -> Path:
    """Eight seconds of noise at a rate that few boards send."""
    clip = folder / "clip.ts"
    source = ["-f", "lavfi", "-i", "nullsrc=s=640x360:r=25:d=8,geq=random(1)*255:128:128"]
    rate = ["-b:v", str(BITRATE), "-minrate", str(BITRATE), "-maxrate", str(BITRATE), "-bufsize", str(BITRATE)]
    coder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-x264-params", "nal-hrd=cbr", *rate]
    subprocess.run(["ffmpeg", "-loglevel", "error", *source, *coder, "-f", "mpegts", str(clip)], check=True)
    return clip


def config(clip: Path) -> str:
    words = ["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-f", "mpegts", "-"]
    return f"""
[limits]
requests_per_second = 100000
[[camera]]
name = "front"
source = "command"
command = {json.dumps(words)}
width = 640
height = 360
frames_per_second = 25
bitrate_kbps = {BITRATE // 1000}
"""


class Readers:
    """Those who take their time. One that is sent away comes again, on the newest segment."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.gone = select.poll()
        self.due: dict[int, tuple[float, socket.socket]] = {}
        self.ended = 0

    def fill(self, path: str, at_most: int) -> None:
        """Connects those that are missing, some at a time: each batch is on another segment."""
        for _ in range(min(at_most, READERS - len(self.due))):
            reader = socket.socket()
            # What the kernel takes in for a reader is not perchd's: as little of it as may be.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", self.port))
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            reader.setblocking(False)
            self.due[reader.fileno()] = (time.monotonic() + PAUSE, reader)
            # Told without asking: that the connection was reset.
            self.gone.register(reader, 0)

    def take(self) -> None:
        """A packet for each whose turn it is; those that were sent away are noticed at once."""
        now = time.monotonic()
        ended = {number for number, _ in self.gone.poll(0)}
        for number, (due, reader) in self.due.items():
            if due > now or number in ended:
                continue
            self.due[number] = (now + PAUSE, reader)
            with contextlib.suppress(BlockingIOError):
                try:
                    if not reader.recv(PACKET):
                        ended.add(number)
                except ConnectionError:
                    ended.add(number)
        for number in ended:
            _, reader = self.due.pop(number)
            self.gone.unregister(number)
            reader.close()
        self.ended += len(ended)


def newest(perchd: Perchd, stream: str) -> str:
    playlist = perchd.must("GET", f"/media/{stream}/index.m3u8", from_address="127.0.0.2").decode()
    return f"/media/{stream}/" + next(line for line in reversed(playlist.splitlines()) if not line.startswith("#"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("perchd", type=Path)
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    _, most = daemon.limits_of_the_unit()
    table = Table()
    say = table.say
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perch-slow-")))
        perchd = stack.enter_context(daemon.running(arguments.perchd, folder, config(make_clip(folder))))
        stream = json.loads(perchd.must("POST", "/api/v1/streams", {"title": "front", "camera": "front"}))["id"]
        while perchd.ask("GET", f"/media/{stream}/index.m3u8", None, "127.0.0.2")[0] != 200:
            time.sleep(0.2)
        say(f"{READERS} connections take {PACKET} bytes of a segment every {PAUSE} s, and come again when they are sent away; one stream of {BITRATE / 1e6:g} Mb/s; {arguments.seconds} s.")
        say(f"Memory is perchd's own, what lies in the kernel for it (memfd), and what waits in the kernel for readers to take it; the unit's MemoryMax is {mib(most)}, and perchd takes its budget from the unit's limits.\n")
        readers = Readers(perchd.port)
        playlists, segments, worst, retired, held = [], [], 0, 0, 0
        began = time.monotonic()
        look, shown = began, began
        while (now := time.monotonic()) < began + arguments.seconds:
            asked = time.monotonic()
            path = newest(perchd, stream)
            playlists.append(time.monotonic() - asked)
            # All of them within some segments, again and again.
            readers.fill(path, 40)
            readers.take()
            held = max(held, len(readers.due))
            if now >= look:
                look += 2
                asked = time.monotonic()
                perchd.must("GET", path, from_address="127.0.0.2")
                segments.append(time.monotonic() - asked)
                own, kernel = perchd.memory()
                waiting = perchd.untaken()
                worst = max(worst, own + kernel + waiting)
                retired = max(retired, perchd.metric('memory_used_bytes{part="retired_segments"}'))
                if worst > most:
                    raise SystemExit(f"FAIL perchd holds {mib(worst)}")
                if now >= shown:
                    shown += 30
                    say(f"after {now - began:3.0f} s: {len(readers.due)} slow readers, {mib(own + kernel + waiting)}, of these {mib(kernel)} segments in the kernel and {mib(waiting)} on their way to readers")
            time.sleep(0.4)
        if held < READERS * 9 // 10:
            raise SystemExit(f"FAIL only {held} of them were let in at once")
        say(f"\nmemory at most: {mib(worst)}; segments that only slow readers held, at most: {mib(retired)}")
        say(f"slow readers that were sent away: {readers.ended}; for want of memory, the oldest answer first: {perchd.metric('http_answers_cut_total')}")
        say(f"a playlist for somebody else: {milliseconds(playlists)}")
        say(f"a segment for somebody else:  {milliseconds(segments)}")
        if perchd.process.poll() is not None:
            raise SystemExit("FAIL perchd has ended")
    if arguments.table:
        table.write(arguments.table)


if __name__ == "__main__":
    sys.exit(main())
