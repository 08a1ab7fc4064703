#!/usr/bin/env python3
"""A stream is sent on to nginx-rtmp, which is killed ten times and frozen, over a network that is cut, delayed, made to lose packets and slowed: `relay_faults.py PERCHD [--table FILE]`.

Says for each fault when the relay knew of it, when it was live again and by when it had to be, and what it left out; and what viewers on the LAN noticed. At the end, what the
server kept is compared with what the camera sent. Ends with an error where something is not as it should be. Needs root, ffmpeg, nginx and libnginx-mod-rtmp; five minutes.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import perchd as daemon
from network import THERE, Network, Way, network
from perchd import Perchd, mib
from table import Table

KILLS = 10
DOWN_SECONDS = 1.5
CALM_SECONDS = 12
"""After ten seconds live the first pause is short again."""
KNOWN_WITHIN = 5.5
"""Five seconds, and the half of one in which the state is looked at."""
CLIP_SECONDS = 480
KEY = "c4mp41gn"
PORT = 1935


def make_clip(folder: Path) -> Path:
    """Pictures with B-frames and sound, no two of them the same."""
    clip = folder / "clip.ts"
    pictures = f"testsrc=s=320x180:r=25:d={CLIP_SECONDS},noise=alls=12:allf=t"
    coders = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-b:v", "800k", "-maxrate", "800k", "-bufsize", "400k", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", f"anoisesrc=d={CLIP_SECONDS}:r=48000:a=0.2"]
    subprocess.run([*command, *coders, "-f", "mpegts", str(clip)], check=True)
    return clip


def config(clip: Path) -> str:
    words = ["ffmpeg", "-loglevel", "error", "-nostdin", "-re", "-i", str(clip), "-c", "copy", "-f", "mpegts", "-"]
    return f"""
[limits]
requests_per_second = 100000
[[camera]]
name = "front"
source = "command"
command = {json.dumps(words)}
width = 320
height = 180
frames_per_second = 25
bitrate_kbps = 1000
relays = ["far"]
[[relay]]
name = "far"
url = "rtmp://{THERE}:{PORT}/live"
key = "{KEY}"
"""


class Server:
    """nginx-rtmp in the namespace; it keeps what it gets."""

    def __init__(self, folder: Path, between: Network) -> None:
        self.folder = folder
        self._file = folder / "nginx.conf"
        self._file.write_text(
            f"load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off;\nmaster_process off;\nuser root;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{ }}\n"
            f"rtmp {{ server {{ listen {PORT}; application live {{ live on; record all; record_path {folder}; record_unique on; }} }} }}\n"
        )
        self._command = ["ip", "netns", "exec", between.namespace, "nginx", "-p", str(folder), "-c", str(self._file)]
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def send(self, how: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(how)

    def end(self, how: signal.Signals) -> None:
        self.send(how)
        assert self.process
        self.process.wait(20)


class Watch:
    """Looks at the relay and at perchd's memory twenty times a second, and at each new segment as a viewer."""

    def __init__(self, perchd: Perchd) -> None:
        self.perchd = perchd
        self.now: dict = {}
        self.most = 0
        self.states: list[tuple[float, str]] = []
        self.segments = 0
        self.longest_wait = 0.0
        self.complaints: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(run,), daemon=True) for run in (self._relay, self._viewer)]
        for thread in self._threads:
            thread.start()

    def _guard(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:
            if not self._ended.is_set():
                self.complaints.append(f"{run.__name__}: {error!r}")

    def _relay(self) -> None:
        while not self._ended.wait(0.05):
            streams = json.loads(self.perchd.must("GET", "/api/v1/relays"))["items"][0]["streams"]
            if not streams:
                continue
            state = streams[0]["state"]
            if not self.states or self.states[-1][1] != state:
                self.states.append((time.monotonic(), state))
            self.now = streams[0]
            self.most = max(self.most, sum(self.perchd.memory()))

    def _viewer(self) -> None:
        address = "127.0.0.2"

        def playlist(query: str = "") -> tuple[int, list[str]]:
            lines = self.perchd.must("GET", f"/media/live/index.m3u8{query}", from_address=address).decode().splitlines()
            first = next(int(line.split(":")[1]) for line in lines if line.startswith("#EXT-X-MEDIA-SEQUENCE:"))
            return first + sum(line.startswith("#EXTINF") for line in lines), lines

        following, _ = playlist()
        last = time.monotonic()
        while not self._ended.is_set():
            after, lines = playlist(f"?_HLS_msn={following}")
            now = time.monotonic()
            if after != following + 1:
                self.complaints.append(f"segment {following} was asked for, and {after - following} came")
            if "#EXT-X-DISCONTINUITY" in lines:
                self.complaints.append("the stream has a seam")
            self.longest_wait = max(self.longest_wait, now - last)
            self.segments += 1
            following, last = after, now

    def wait(self, is_so: Callable[[dict], bool], seconds: float, what: str) -> float:
        """Waits for a state of the relay; the time."""
        until = time.monotonic() + seconds
        while not (self.now and is_so(self.now)):
            if time.monotonic() > until:
                raise SystemExit(f"FAIL {what} within {seconds:.0f} s: {self.now}")
            time.sleep(0.02)
        return time.monotonic()

    def end(self) -> None:
        self._ended.set()


def is_live(now: dict) -> bool:
    return now["state"] == "live"


@dataclass
class Fault:
    """What is done to the server or to the way to it, and undone."""

    name: str
    do: Callable[[], object]
    undo: Callable[[], object]
    seconds: float
    is_noticed: bool = True
    """The relay has to know that it is not live."""


class Campaign:
    def __init__(self, table: Table, watch: Watch) -> None:
        self.table, self.watch = table, watch
        self.failed = 0

    def check(self, is_good: bool, what: str) -> None:
        if not is_good:
            self.failed += 1
            self.table.say(f"FAIL {what}")

    def run(self, fault: Fault) -> None:
        watch = self.watch
        watch.wait(is_live, 70, "live before a fault")
        time.sleep(CALM_SECONDS)
        before, connections = watch.now["dropped"], watch.now["connections"]
        begun = time.monotonic()
        fault.do()
        known = "stays live"
        if fault.is_noticed:
            at = watch.wait(lambda now: not is_live(now), 30, f"{fault.name}: known") - begun
            known = f"known after {at:.1f} s"
            self.check(at <= KNOWN_WITHIN, f"{fault.name}: {known}")
            time.sleep(max(0.0, begun + fault.seconds - time.monotonic()))
            self.check(not is_live(watch.now), f"{fault.name}: called live though the server takes nothing")
            failures = sum(at > begun and state == "retrying" for at, state in watch.states)
            undone = time.monotonic()
            fault.undo()
            back = watch.wait(is_live, 90, f"{fault.name}: live again") - undone
            # An attempt that is under way (5 s), the pause that follows it at most, the first pictures and a look at them.
            allowed = 5 + min(60, 2 ** failures) + 2
            self.check(back <= allowed, f"{fault.name}: back after {back:.1f} s, allowed {allowed} s")
            words = f"back {back:.1f} s after its end ({allowed} s allowed)"
        else:
            time.sleep(fault.seconds)
            self.check(is_live(watch.now) and watch.now["connections"] == connections, f"{fault.name}: {watch.now}")
            fault.undo()
            words = f"{watch.now['kbps']} kb/s at its end"
        self.table.say(f"{fault.name:34} {known:20} {words:46} {watch.now['dropped'] - before} left out")


def packets(file: Path) -> list[tuple[str, bool]]:
    """Hashes of the pictures in a file, and whether each is a key frame."""
    command = ["ffprobe", "-loglevel", "error", "-select_streams", "v", "-show_data_hash", "md5", "-show_entries", "packet=data_hash,flags", "-of", "json", str(file)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["packets"]
    return [(packet["data_hash"], packet["flags"].startswith("K")) for packet in found]


def compare(campaign: Campaign, clip: Path, folder: Path) -> None:
    """What the server kept: from the camera, in order, each picture once, and each file from a key frame on."""
    source = clip.with_name("source.flv")
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", str(clip), "-c", "copy", "-bsf:v", "filter_units=remove_types=7-9", "-an", "-f", "flv", str(source)], check=True)
    places = {picture: place for place, (picture, _) in enumerate(packets(source))}
    last, kept = -1, 0
    files = sorted(folder.glob("*.flv"), key=lambda file: file.stat().st_mtime)
    for file in files:
        pictures = packets(file)
        campaign.check(not pictures or pictures[0][1], f"{file.name} does not begin with a key frame")
        for picture, _ in pictures:
            place = places.get(picture)
            if place is None or place <= last:
                campaign.check(False, f"{file.name}: a picture that {'the camera never sent' if place is None else 'came before'}")
                return
            last = place
            kept += 1
    campaign.table.say(f"The server kept {kept} pictures in {len(files)} files: each is the camera's, byte for byte, in its order, and none came twice.")
    campaign.check(kept > 1000, "the server kept hardly anything")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("perchd", type=Path)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    table = Table()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perch-relay-")))
        clip = make_clip(folder)
        between = stack.enter_context(network())
        kept = folder / "kept"
        kept.mkdir()
        server = Server(kept, between)
        server.start()
        stack.callback(lambda: server.process.kill())
        with daemon.running(arguments.perchd, folder, config(clip)) as perchd:
            stream = json.loads(perchd.must("POST", "/api/v1/streams", {"title": "front", "camera": "front"}))["id"]
            while perchd.ask("GET", f"/media/{stream}/index.m3u8", None, "127.0.0.2")[0] != 200:
                time.sleep(0.2)
            watch = Watch(perchd)
            campaign = Campaign(table, watch)
            watch.wait(is_live, 30, "live")
            began = watch.most
            table.say(f"A stream of 0.8 Mb/s (B-frames, sound) is sent on to nginx-rtmp; after each fault {CALM_SECONDS} s live.\n")

            def ways(**way: object) -> Callable[[], None]:
                return lambda: setattr(between, "way", Way(**way))

            faults = [Fault(f"killed, {number + 1}", lambda: server.end(signal.SIGKILL), server.start, DOWN_SECONDS) for number in range(KILLS)]
            faults += [
                Fault("frozen for 15 s (SIGSTOP)", lambda: server.send(signal.SIGSTOP), lambda: server.send(signal.SIGCONT), 15),
                Fault("network cut for 15 s", ways(is_cut=True), ways(), 15),
                Fault("delayed by 300 to 400 ms", ways(delay=0.15, jitter=0.05), ways(), 20, is_noticed=False),
                Fault("2 of 100 packets lost", ways(delay=0.01, loss=0.02), ways(), 20, is_noticed=False),
                Fault("slowed to 0.5 Mb/s", ways(bytes_a_second=62_500), ways(), 40, is_noticed=False),
            ]
            for fault in faults:
                campaign.run(fault)
            time.sleep(CALM_SECONDS)
            calm = watch.now["dropped"]
            time.sleep(5)
            campaign.check(watch.now["dropped"] == calm, "pictures are left out though nothing is slow")
            watch.end()
            _, most = daemon.limits_of_the_unit()
            table.say("")
            table.say(f"Viewers on the LAN: {watch.segments} segments of 2 s one after the other, none missing, no seam; the longest wait for one was {watch.longest_wait:.2f} s.")
            campaign.check(watch.longest_wait < 4, "a viewer waited for two segments")
            lagged = perchd.metric("hls_lagged_total")
            campaign.check(lagged == 0, f"the LAN's reader was overtaken {lagged} times")
            for complaint in watch.complaints:
                campaign.check(False, complaint)
            table.say(f"Memory of perchd: {mib(began)} at the beginning, {mib(watch.most)} at most; the unit's MemoryMax is {mib(most)}.")
            campaign.check(watch.most < began + (24 << 20), "memory grew")
        server.end(signal.SIGQUIT)
        compare(campaign, clip, kept)
        if KEY in (folder / "perchd.log").read_text():
            campaign.check(False, "the stream key is in the log")
    if arguments.table:
        table.write(arguments.table)
    sys.exit(1 if campaign.failed else 0)


if __name__ == "__main__":
    main()
