"""A camera made of v4l2loopback, with ffmpeg inside: for formats that vivid does not give."""

import subprocess

from . import devices, picture
from .daemon import Perchd
from .failure import require, wait_for

NODE = "/dev/video20"
# The camera's picture, as ffmpeg's input; it does not move, so that pictures can be compared.
BARS = ("-f", "lavfi", "-i", "smptebars=size=320x180:rate=10,format=yuv420p")


def feed(*codec):
    """Loads the module and starts ffmpeg with these options; returns the process once the camera gives pictures."""
    devices.load("v4l2loopback", video_nr=NODE[len("/dev/video"):], card_label="Loop", exclusive_caps=1)
    feeder = subprocess.Popen(
        ("ffmpeg", "-v", "error", "-nostdin", "-re", *BARS, *codec, "-f", "v4l2", NODE), stdin=subprocess.DEVNULL
    )
    wait_for(
        lambda: "Video Capture" in devices.run("v4l2-ctl", "-d", NODE, "--all", check=False), 40,
        "ffmpeg does not feed the loop device", 1,
    )
    return feeder


def film(lab, *codec):
    """Streams the camera fed with `codec` into loop.ts. Returns perchd's report on the camera, and the seconds until it was live."""
    feeder = feed(*codec)
    try:
        with Perchd(lab, device=NODE, encoder="auto") as perchd:
            took = perchd.wait_live(30)
            perchd.wait_segments(1, 10)
            live = perchd.camera()
            perchd.save("loop.ts")
    finally:
        feeder.kill()
        feeder.wait(10)
    return live, took


def compare(lab):
    """On the host: checks that loop.ts decodes and shows the camera's picture. Returns its path and the PSNR in dB."""
    path = f"{lab.out}/loop.ts"
    picture.decodes(path)
    picture.ffmpeg("-v", "error", *BARS, "-frames:v", "1", "-f", "rawvideo", f"{lab.out}/bars.raw")
    decibels = picture.psnr(f"{lab.out}/bars.raw", "yuv420p", path)
    require(decibels >= 30, f"PSNR is {decibels:.1f} dB")
    return path, decibels
