#!/usr/bin/env python3
"""Sixteen streams at once, from programs (Annex B and MPEG-TS) and from test patterns, each watched for minutes: `sixteen_streams.py PERCHD [--minutes N] [--table FILE]`.

Ends with an error where a stream does not play on, or perchd takes more than its unit may. How fast the site answers is printed, and not judged: the machine has other work,
sixteen coders among it. Loopback only; needs ffmpeg, and unshare(1) of util-linux.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import perchd as daemon
from perchd import Perchd, mib, milliseconds
from table import Table

STREAMS, PROGRAMS = 16, 8
# What becomes of each stream is looked at so often, in seconds; a playlist lists a minute.
LOOK = 5
# Seconds without a new segment that are a failure. A busy machine may starve a coder for a while; the longest pause is printed.
PATIENCE = 20

_PICTURES = "ffmpeg -loglevel error -re -f lavfi -i testsrc2=s=160x120:r=5 -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 10 -threads 1"


def config() -> str:
    """Its cameras: a quarter writes Annex B, a quarter MPEG-TS, half of them show the test pattern."""
    text = "[limits]\nrequests_per_second = 100000\nwrites_per_second = 100000\n"
    for number in range(STREAMS):
        text += f'\n[[camera]]\nname = "camera-{number}"\nwidth = 160\nheight = 120\nframes_per_second = 5\nbitrate_kbps = 100\n'
        if number < PROGRAMS:
            words = f"{_PICTURES} -f {'h264' if number % 2 else 'mpegts'} -".split()
            text += f'source = "command"\ncommand = {json.dumps(words)}\n'
        else:
            text += 'source = "test-pattern"\n'
    return text


class Watched:
    """One stream, as a player follows it."""

    def __init__(self, perchd: Perchd, camera: str) -> None:
        self.perchd, self.camera = perchd, camera
        started = perchd.must("POST", "/api/v1/streams", {"title": camera, "camera": camera})
        self.id = json.loads(started)["id"]
        self.segments = self.bytes = self.seams = 0
        self.next: int | None = None
        self.seconds = self.longest_pause = 0.0
        self.went_on = 0.0

    def playlist(self) -> str:
        return self.perchd.must("GET", f"/media/{self.id}/index.m3u8").decode()

    def plays(self) -> bool:
        return self.perchd.ask("GET", f"/media/{self.id}/index.m3u8")[0] == 200

    def take_what_is_new(self) -> None:
        """Takes every segment that came since the last look."""
        lines = self.playlist().splitlines()
        number = next(int(line.split(":")[1]) for line in lines if line.startswith("#EXT-X-MEDIA-SEQUENCE:"))
        if self.next is not None and number > self.next:
            raise SystemExit(f"FAIL {self.camera}: segments {self.next} to {number - 1} left the playlist within {LOOK} s")
        seam, length, before = False, 0.0, self.segments
        for line in lines:
            seam |= line == "#EXT-X-DISCONTINUITY"
            if line.startswith("#EXTINF:"):
                length = float(line[8:].split(",")[0])
            if line.startswith("#"):
                continue
            if self.next is None or number >= self.next:
                segment = self.perchd.must("GET", f"/media/{self.id}/{line}")
                if len(segment) % 188 or segment[0] != 0x47:
                    raise SystemExit(f"FAIL {self.camera}: {line} is no transport stream")
                self.segments, self.bytes, self.seams, self.seconds = self.segments + 1, self.bytes + len(segment), self.seams + seam, self.seconds + length
                self.last, self.next = segment, number + 1
            number, seam = number + 1, False
        pause = time.monotonic() - self.went_on if before else 0.0
        if pause > PATIENCE:
            raise SystemExit(f"FAIL {self.camera} does not go on: no new segment for {pause:.0f} s")
        if self.segments > before:
            self.longest_pause, self.went_on = max(self.longest_pause, pause), time.monotonic()


def pictures(segment: bytes) -> int:
    """Pictures that a decoder which is not ours finds in it."""
    command = ["ffprobe", "-loglevel", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", "-"]
    said = subprocess.run(command, input=segment, stdout=subprocess.PIPE, check=True).stdout.decode()
    return int(said.split(",")[0].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("perchd", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    _, most = daemon.limits_of_the_unit()
    table = Table()
    say = table.say
    with tempfile.TemporaryDirectory(prefix="perch-sixteen-") as folder, daemon.running(arguments.perchd, Path(folder), config()) as perchd:
        say(f"{STREAMS} streams of 160x120, {PROGRAMS // 2} from programs that write Annex B, {PROGRAMS // 2} from programs that write MPEG-TS, {STREAMS - PROGRAMS} test patterns, for {arguments.minutes:g} minutes.")
        say(f"Memory is perchd's own and what lies in the kernel for it (memfd); the unit's MemoryMax is {mib(most)}, and perchd takes its budget from the unit's limits.\n")
        none = sum(perchd.memory())
        say(f"no stream: {mib(none)}")
        streams = []
        for number in range(STREAMS):
            before = sum(perchd.memory())
            stream = Watched(perchd, f"camera-{number}")
            while not stream.plays():
                time.sleep(0.1)
            streams.append(stream)
            after = sum(perchd.memory())
            say(f"{number + 1:2} streams: {mib(after)}, {mib(after - before)} more")
        lists, playlists, worst = [], [], 0
        began = time.monotonic()
        minute, until, look, turn = 1, began + arguments.minutes * 60, began, 0
        while (now := time.monotonic()) < until:
            for path, times in (("/api/v1/streams?state=live&limit=100", lists), (f"/media/{streams[turn % STREAMS].id}/index.m3u8", playlists)):
                asked = time.monotonic()
                answer = perchd.must("GET", path)
                times.append(time.monotonic() - asked)
                if times is lists and len(json.loads(answer)["items"]) != STREAMS:
                    raise SystemExit(f"FAIL not all of them are live: {answer!r}")
            turn += 1
            if now >= look:
                look += LOOK
                for stream in streams:
                    stream.take_what_is_new()
                worst = max(worst, sum(perchd.memory()))
                if worst > most:
                    raise SystemExit(f"FAIL perchd takes {mib(worst)}")
            if now >= began + minute * 60:
                own, kernel = perchd.memory()
                say(f"after {minute} min: {mib(own + kernel)}, of these {mib(kernel)} segments in the kernel")
                minute += 1
            time.sleep(0.2)
        for stream in streams:
            stream.take_what_is_new()
        say("")
        for stream in streams:
            source = "test pattern" if int(stream.camera[7:]) >= PROGRAMS else "program, Annex B" if int(stream.camera[7:]) % 2 else "program, MPEG-TS"
            say(f"{stream.camera:9} ({source}): {stream.segments} segments, {stream.seconds:.0f} s, {stream.seams} seams, {stream.longest_pause:.0f} s between two looks that found a new one at most, {stream.bytes * 8 / stream.seconds / 1000:.0f} kbit/s; ffprobe finds {pictures(stream.last)} pictures in the last")
            # As long as the campaign, but for the segment in the making on either side.
            if stream.seconds < arguments.minutes * 60 - 10:
                raise SystemExit(f"FAIL {stream.camera} has holes")
        say(f"\nmemory at most: {mib(worst)}, {mib((worst - none) / STREAMS)} for each stream")
        say(f"GET /api/v1/streams: {milliseconds(lists)}")
        say(f"a playlist:          {milliseconds(playlists)}")
        say(f"pictures that the reader of segments missed: {perchd.metric('hls_lagged_total')}; segments lost: {perchd.metric('segments_lost_total')}")
    if arguments.table:
        table.write(arguments.table)


if __name__ == "__main__":
    sys.exit(main())
