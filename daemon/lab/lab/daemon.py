"""Runs perchd in the virtual machine and watches it over HTTP, as its users do."""

import http.client
import json
import os
import re
import signal
import subprocess
import time

from .failure import Failure, require, wait_for

PORT = 8080
# Segments of one second, so that measurements show the recovery and not the length of a segment.
CONFIG = """
[server]
listen = ["127.0.0.1:{port}"]
metrics_from = ["127.0.0.1"]
data_dir = "{data}"
[live]
autostart = true
segment_seconds = 1
window_seconds = 20
[log]
level = "debug"
[[camera]]
name = "front"
{camera}
"""


def camera_table(**keys):
    """Lines of a [[camera]] table: small pictures, a key frame a second."""
    keys = {"source": "v4l2", "width": 320, "height": 180, "frames_per_second": 10, "keyframe_interval_seconds": 1} | keys
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())


class Perchd:
    """One run of the daemon. Use it with `with`: it is stopped at the end, and must stop cleanly."""

    def __init__(self, lab, environment=None, **camera):
        self.data = f"{lab.scratch}/data"
        os.makedirs(self.data, exist_ok=True)
        self.config = f"{lab.scratch}/perch.toml"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(port=PORT, data=self.data, camera=camera_table(**camera)))
        self.lab = lab
        self.log = f"{lab.out}/perchd.log"
        self.command = [lab.perchd, "--config", self.config, "run"]
        self.environment = {**os.environ, "RUST_BACKTRACE": "1", **(environment or {})}
        self.process = None

    def start(self):
        """Starts it; does not wait for pictures."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
        return self

    def stop(self):
        """Sends SIGTERM; fails if perchd must be killed or exits with an error."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise Failure("perchd did not end within 20 s of SIGTERM") from None
        require(code == 0, f"perchd ended with {code} on SIGTERM")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.stop()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def get(self, path, seconds=5):
        """Status and body of a GET; (0, b"") while perchd does not listen."""
        return self.ask("GET", path, seconds=seconds)

    def ask(self, method, path, value=None, token=None, seconds=5):
        """Status and body for any method, with `value` as JSON and with a login."""
        headers = {"Content-Type": "application/json"} if value is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=seconds)
        try:
            connection.request(method, path, None if value is None else json.dumps(value), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def set_up(self):
        """Creates the owner; returns the login's token."""
        with open(f"{self.data}/setup-code", encoding="ascii") as file:
            code = file.read().strip()
        owner = {"setup_code": code, "username": "ann", "password": "correct horse battery"}
        status, body = self.ask("POST", "/api/v1/setup", owner, seconds=30)
        require(status in (200, 201), f"setting up: {status} {body}")
        return json.loads(body)["access_token"]

    def alive(self):
        """Fails if the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise Failure(f"perchd ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        """The end of its log."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-3:])[-500:]

    def segments(self):
        """(media sequence number, URI) of every segment in the playlist."""
        self.alive()
        status, body = self.get("/media/live/index.m3u8")
        if status != 200:
            return []
        text = body.decode()
        first = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
        uris = [line for line in text.splitlines() if line and not line.startswith("#")]
        number = int(first.group(1)) if first else 0
        return list(enumerate(uris, number))

    def newest(self):
        """Media sequence number of the newest segment; -1 while there is none."""
        listed = self.segments()
        return listed[-1][0] if listed else -1

    def metric(self, name):
        """Sum of a metric over all cameras and kinds."""
        self.alive()
        _, body = self.get("/metrics")
        values = re.findall(rf"^perch_{name}(?:_total)?(?:\{{[^}}]*\}})? ([0-9.e+-]+)$", body.decode(), re.M)
        return sum(float(value) for value in values)

    def camera(self):
        """The first camera in the API."""
        status, body = self.get("/api/v1/cameras")
        return json.loads(body)["items"][0] if status == 200 else {}

    def say(self):
        """For a failure message: the camera's state and the end of the log."""
        camera = self.camera()
        return f"camera {camera.get('state')} {camera.get('detail') or camera.get('encoder')}; log: {self.last_words()}"

    def wait_live(self, seconds=20):
        """Waits until two segments can be fetched; returns the seconds that took."""
        _, took = wait_for(lambda: len(self.segments()) >= 2, seconds, lambda: f"no segments: {self.say()}")
        require(self.get("/readyz")[0] == 200, "segments are listed and /readyz is not 200")
        return took

    def wait_segments(self, count, seconds):
        """Waits until `count` more segments are listed."""
        goal = self.newest() + count
        return wait_for(lambda: self.newest() >= goal, seconds, lambda: f"no new segments: {self.say()}")[1]

    def recovers(self, strike, seconds=5, seam=True):
        """Calls `strike`, which causes a fault, and measures the time until a segment made entirely afterwards is listed.

        With `seam`, pictures from before the harm do not count: a discontinuity has to be seen first. Fails after `seconds`.
        """
        seams, pictures = self.metric("seams"), self.metric("access_units")
        strike()
        began = time.monotonic()
        if seam:
            wait_for(
                lambda: self.metric("seams") > seams, seconds, lambda: f"no seam: {self.say()}"
            )
        else:
            wait_for(lambda: self.metric("access_units") > pictures, seconds, lambda: f"no pictures: {self.say()}")
        listed = self.newest()
        # The segment in progress when the seam is seen is the first one of the new stream.
        left = max(0.5, seconds - (time.monotonic() - began))
        wait_for(lambda: self.newest() > listed, left, lambda: f"no segment after the seam: {self.say()}")
        took = time.monotonic() - began
        require(took <= seconds, f"the stream took {took:.1f} s to come back, {seconds} s are allowed")
        return took

    def save(self, name, count=2):
        """Saves the newest segments in one file for the host's check."""
        path = f"{self.lab.out}/{name}"
        with open(path, "wb") as file:
            for _, uri in self.segments()[-count:]:
                status, body = self.get(f"/media/live/{uri}" if not uri.startswith("/") else uri)
                require(status == 200 and body, f"segment {uri}: {status}, {len(body)} bytes")
                file.write(body)
        return path
