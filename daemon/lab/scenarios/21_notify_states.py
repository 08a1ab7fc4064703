"""The messages to systemd, in order, recorded at the socket: STATUS, READY once the first segment exists, WATCHDOG, STOPPING."""

import os
import socket

from lab import devices
from lab.daemon import Perchd
from lab.failure import require, wait_for


class Recorder:
    """A notify socket that records every line."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        self.lines = []

    def read(self):
        """Reads new messages; returns all so far."""
        while True:
            try:
                self.lines += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.lines


def guest(lab):
    recorder = Recorder(f"{lab.scratch}/notify")
    environment = {"NOTIFY_SOCKET": recorder.path, "WATCHDOG_USEC": "2000000"}
    os.environ.pop("WATCHDOG_PID", None)
    # No camera yet: not ready, but alive and reporting what it waits for.
    with Perchd(lab, environment, device="/dev/video0", encoder="v4l2-m2m") as perchd:
        wait_for(
            lambda: any(line.startswith("STATUS=waiting for the camera") for line in recorder.read()), 15,
            lambda: f"no word of the missing camera: {recorder.read()}",
        )
        fed = recorder.read().count("WATCHDOG=1")
        wait_for(lambda: recorder.read().count("WATCHDOG=1") > fed, 5, "no WATCHDOG=1 while the camera is waited for")
        require("READY=1" not in recorder.read(), "READY=1 without a camera")
        require(perchd.get("/readyz")[0] == 503, f"/readyz is {perchd.get('/readyz')[0]} without a camera")
        require(devices.camera() == "/dev/video0", "vivid's node has another number")
        devices.encoder(formats=2)
        wait_for(lambda: "READY=1" in recorder.read(), 15, lambda: f"no READY=1: {perchd.say()}")
        require(perchd.get("/readyz")[0] == 200, "READY=1 was said before /readyz is 200")
        perchd.wait_live()
        fed = recorder.read().count("WATCHDOG=1")
        wait_for(lambda: recorder.read().count("WATCHDOG=1") > fed, 5, "no WATCHDOG=1 while pictures move")
        perchd.stop()
    lines = recorder.read()
    for once in ("READY=1", "STOPPING=1"):
        require(lines.count(once) == 1, f"{once} was said {lines.count(once)} times")
    live = next(i for i, line in enumerate(lines) if line.startswith("STATUS=live"))
    waiting = next(i for i, line in enumerate(lines) if line.startswith("STATUS=waiting"))
    order = [waiting, live, lines.index("STOPPING=1")]
    require(order == sorted(order) and lines.index("READY=1") < order[2], f"out of order: {lines}")
    require("WATCHDOG=1" not in lines[order[2]:], "WATCHDOG=1 after STOPPING=1")
    return f"{len(lines)} messages in order; the last: {lines[-1]}"
