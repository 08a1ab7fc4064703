"""A camera made of v4l2loopback, with ffmpeg inside: for formats that vivid does not give."""

import subprocess

from . import devices
from .failure import wait_for

NODE = "/dev/video20"
# What it films, as ffmpeg's input; it does not move, so that pictures can be compared.
BARS = ("-f", "lavfi", "-i", "smptebars=size=320x180:rate=10,format=yuv420p")


def feed(*codec):
    """Loads the module and starts ffmpeg with these options; the process, once the camera gives pictures."""
    devices.load("v4l2loopback", video_nr=NODE[len("/dev/video"):], card_label="Loop", exclusive_caps=1)
    feeder = subprocess.Popen(
        ("ffmpeg", "-v", "error", "-nostdin", "-re", *BARS, *codec, "-f", "v4l2", NODE), stdin=subprocess.DEVNULL
    )
    wait_for(
        lambda: "Video Capture" in devices.run("v4l2-ctl", "-d", NODE, "--all", check=False), 40,
        "ffmpeg does not feed the loop device", 1,
    )
    return feeder
