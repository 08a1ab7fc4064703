"""A camera that gives Bayer data only, as a Raspberry Pi's CSI cameras do: without rpicam-vid the way out is said, with it the camera is taken through it.
rpicam-vid itself runs on a Raspberry Pi only: here a program of that name takes the options that perchd gives it, and films bars as they say."""

import os
import subprocess

from lab import devices, loopback
from lab.daemon import Perchd
from lab.failure import require, wait_for

STAND_IN = """#!/usr/bin/env python3
import os, sys
words = sys.argv[1:]
option = lambda name: words[words.index(name) + 1]
size, rate = f"{option('--width')}x{option('--height')}", option("--framerate")
assert option("--codec") == "h264" and option("--output") == "-" and option("--camera") == "0" and option("--timeout") == "0", words
os.execvp("ffmpeg", ["ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", f"smptebars=size={size}:rate={rate},format=yuv420p", "-c:v", "libx264",
    "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "18", "-g", option("--intra"), "-f", "h264", "-"])
"""


def guest(lab):
    devices.load("v4l2loopback", video_nr=loopback.NODE[len("/dev/video"):], card_label="unicam", exclusive_caps=1)
    sensor = subprocess.Popen(
        ("v4l2-ctl", "-d", loopback.NODE, "-x", "width=640,height=480,pixelformat=BA81", "--stream-out-mmap=3"), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(
            lambda: "BA81" in devices.run("v4l2-ctl", "-d", loopback.NODE, "--list-formats", check=False), 20, "the loop device gives no Bayer data", 1
        )
        folder = f"{lab.scratch}/bin"
        os.makedirs(folder)
        with Perchd(lab, environment={"PATH": folder}) as perchd:
            wait_for(lambda: "rpicam-apps-lite" in str(perchd.camera()), 20, "the way out is not said", 1)
        with open(f"{folder}/rpicam-vid", "w", encoding="utf-8") as file:
            file.write(STAND_IN)
        os.chmod(f"{folder}/rpicam-vid", 0o755)
        with Perchd(lab, environment={"PATH": f"{folder}:{os.environ['PATH']}"}, source="auto") as perchd:
            took = perchd.wait_live(30)
            perchd.wait_segments(1, 10)
            said = str(perchd.camera())
            perchd.save("loop.ts")
    finally:
        sensor.kill()
        sensor.wait(10)
    require("through rpicam-vid" in said, said)
    return f"live through rpicam-vid after {took:.1f} s"


def check(lab):
    _, decibels = loopback.compare(lab)
    return f"{decibels:.1f} dB"
