"""A recorded stream in the virtual machine: goes live, watches its recording and the live playlist, and saves its files for the host."""

import http.client
import json
import os
import re
import shutil
import subprocess

from . import devices, picture
from .chat import Chat
from .daemon import PORT, Perchd
from .failure import require, wait_for


class Recorded:
    """A perchd that records vivid's picture on a disk. Use it with `with`."""

    def __init__(self, lab, disk, title="Nest box"):
        node = devices.camera()
        devices.encoder(formats=devices.ONLY["NV12"])
        self.lab, self.disk, self.title = lab, disk, title
        self.perchd = Perchd(lab, environment=disk.environment(), device=node, encoder="v4l2-m2m")
        self.token = self.stream = None
        self.seams = 0

    def __enter__(self):
        self.perchd.start()
        self.listens()
        self.token = self.perchd.set_up()
        self.go_live()
        return self

    def __exit__(self, kind, error, trace):
        self.perchd.__exit__(kind, error, trace)

    def listens(self):
        """Waits until it answers."""
        wait_for(lambda: self.perchd.get("/readyz")[0], 20, lambda: f"perchd does not listen: {self.perchd.last_words()}")

    def is_back(self):
        """After a restart: waits until it answers, and logs in again."""
        self.listens()
        login = {"username": "ann", "password": "correct horse battery"}
        self.token = self.ask("POST", "/api/v1/auth/login", login, seconds=30)["access_token"]

    def ask(self, method, path, value=None, seconds=10):
        """The answer's JSON, which must be a success."""
        status, body = self.perchd.ask(method, path, value, self.token, seconds)
        require(200 <= status < 300, f"{method} {path}: {status} {body[:300]}; {self.perchd.last_words()}")
        return json.loads(body) if body else {}

    def go_live(self):
        """Starts a stream that is recorded."""
        asked = {"title": self.title, "camera": "front", "record": True}
        self.stream = self.ask("POST", "/api/v1/streams", asked)["id"]
        self.perchd.wait_live(30)
        self.seams = self.perchd.metric("seams")

    def stop(self):
        """Ends the stream."""
        self.ask("POST", f"/api/v1/streams/{self.stream}/stop", {}, seconds=30)

    def state(self):
        """The recording in the API; empty if there is none."""
        status, body = self.perchd.ask("GET", f"/api/v1/recordings/{self.stream}", None, self.token)
        return json.loads(body) if status == 200 else {}

    def milliseconds(self):
        """Length of the recording in milliseconds."""
        return round(1000 * self.state().get("duration_seconds", 0))

    def say(self):
        """For a failure message."""
        return f"{self.state()}; {self.perchd.say()}"

    def jumps(self):
        """Number of points in the recording's timeline; it grows with each gap and seam."""
        return len(self.state().get("timeline", ()))

    def log(self):
        """The text of perchd's log."""
        with open(self.perchd.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def grows(self, seconds=20, by=2000):
        """Waits until the recording is `by` milliseconds longer; returns the seconds that took."""
        goal = self.milliseconds() + by
        return wait_for(lambda: self.milliseconds() >= goal, seconds, lambda: f"the recording does not grow: {self.say()}", 0.3)[1]

    def tells(self, *words, seconds=20):
        """Waits until user, owner and log are told of a trouble with one of these words; returns its text."""
        def told():
            trouble = self.ask("GET", "/api/v1/storage").get("trouble") or ""
            return trouble if any(word in trouble for word in words) else None

        trouble, _ = wait_for(told, seconds, lambda: f"nobody is told {words}: {self.ask('GET', '/api/v1/storage')}; {self.say()}", 0.3)
        state = self.state()
        require(state.get("trouble") == trouble, f"the streamer is told {state.get('trouble')!r}, the owner {trouble!r}")
        detail = self.ask("GET", f"/api/v1/streams/{self.stream}").get("detail")
        require(detail == trouble, f"beside the stream it says {detail!r}")
        require(trouble in self.log(), "the log does not say it")
        return trouble

    def is_well_again(self, seconds=20):
        """Waits until there is no trouble and the recording grows; returns the seconds that took."""
        _, took = wait_for(
            lambda: not self.ask("GET", "/api/v1/storage").get("trouble"), seconds, lambda: f"it is still in trouble: {self.say()}", 0.3
        )
        require(not self.state().get("trouble"), f"the streamer is still told {self.state().get('trouble')!r}")
        return took + self.grows()

    def live_goes_on(self, segments=3):
        """Fails unless the live playlist goes on without a seam, and people can write in the chat."""
        before = self.perchd.segments()
        self.perchd.wait_segments(segments, 5 + 2 * segments)
        after = dict(self.perchd.segments())
        number = before[-1][0]
        require(number in after and after[number] == before[-1][1], f"segment {number} is no longer the one it was")
        require(self.perchd.metric("seams") == self.seams, f"the live stream has a seam: {self.say()}")
        text = f"Seen after segment {number}"
        chat = Chat(PORT, self.stream, self.token)
        try:
            said = chat.say(text)
        finally:
            chat.close()
        messages = self.ask("GET", f"/api/v1/streams/{self.stream}/messages")["items"]
        kept = [message["text"] for message in messages if message["id"] == said]
        require(kept == [text], f"the store does not have the message {said}: {messages}")

    def console(self, *arguments):
        """Output of one of perchd's commands."""
        done = subprocess.run(
            (self.perchd.command[0], "--config", self.perchd.config, *arguments), capture_output=True, text=True, timeout=60,
            check=False, env={**self.perchd.environment, "RUST_BACKTRACE": "0"},
        )
        return (done.stdout + done.stderr).strip()

    def is_whole(self):
        """After perchd has stopped: fails unless every recording agrees with its index and the store."""
        found = self.console("recordings", "verify")
        require(not found, f"perchd recordings verify: {found}")

    def keep(self):
        """Copies the files on the disk for the host."""
        os.makedirs(f"{self.lab.out}/recordings", exist_ok=True)
        for path in self.disk.files():
            shutil.copy(path, f"{self.lab.out}/recordings")


class Watched:
    """A recording as players request it, while it grows or after its end."""

    def __init__(self, recorded, ended=True, part=1):
        self.perchd, self.address = recorded.perchd, f"/media/{recorded.stream}"
        self.part, self.ranges = part, []

        def listed():
            status, body = self.perchd.get(f"{self.address}/dvr.m3u8")
            self.ranges = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", body.decode())
            return status == 200 and self.ranges and ended == ("#EXT-X-ENDLIST" in body.decode())

        wait_for(listed, 20, lambda: f"the recording cannot be watched: {self.perchd.get(f'{self.address}/dvr.m3u8')}", 0.5)

    def fetch(self, length, begin):
        """Status and body of a request for a range of the file."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        try:
            connection.request("GET", f"{self.address}/{self.part}.mp4", headers={"Range": f"bytes={begin}-{int(begin) + int(length) - 1}"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.IncompleteRead as cut:
            return 0, cut.partial
        except ConnectionError:
            return 0, b""
        finally:
            connection.close()

    def whole(self):
        """The download."""
        status, body = self.perchd.get(f"{self.address}/recording.mp4", seconds=30)
        require(status == 200 and body, f"the download: {status} {body[:200]}")
        return body

    def last_seconds(self):
        """The bytes of the last segment."""
        status, body = self.fetch(*self.ranges[-1])
        require(status == 206 and len(body) == int(self.ranges[-1][0]), f"the recording's end: {status}, {len(body)} bytes")
        return body

    def has_ended(self):
        """Fails unless a player gets an error at once, and no wrong bytes, while the disk is gone."""
        status, body = self.fetch(*self.ranges[-1])
        require(status != 206 or len(body) < int(self.ranges[-1][0]), "a disk that is away gave a recording")
        require(status in (0, 404, 503), f"a recording on a disk that is away: {status} {body[:200]}")


def plays(lab):
    """On the host: checks that every picture of every file decodes. Returns their number, and the sum of the files' seconds."""
    pictures, seconds = 0, 0.0
    folder = f"{lab.out}/recordings"
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}"
        # At their own times: a camera's pictures are not evenly spaced, and ffmpeg would round their times to its guess of the rate.
        words = picture.ffmpeg("-v", "warning", "-i", path, "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-").strip()
        require(not words, f"{name}: the decoder says {words[:300]}")
        pictures += picture.frames(path)
        seconds += picture.seconds(path)
        os.remove(path)
    return pictures, seconds
