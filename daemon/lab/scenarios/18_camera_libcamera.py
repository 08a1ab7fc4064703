"""A camera that gives only Bayer data, like a Raspberry Pi's CSI cameras: perchd names the packages to install, and uses rpicam-vid once it is there.
rpicam-vid runs only on a Raspberry Pi: here a program of that name accepts the options of its builds, rejects any other, and delivers colour bars accordingly."""

import os
import subprocess

from lab import devices, loopback
from lab.daemon import Perchd
from lab.failure import require, wait_for

# Options in `rpicam-vid --help` that perchd may pass, with and without an argument.
VALUES = ["camera", "timeout", "width", "height", "framerate", "codec", "bitrate", "intra", "verbose", "output"]
FLAGS = ["nopreview", "inline", "flush"]
LIBAV = (["libav-format"], ["low-latency"])

STAND_IN = """#!/usr/bin/env python3
import os, sys
values, flags = {values}, {flags}
if sys.argv[1:] == ["--help"]:
    for name in values + flags:
        print(f"  --{{name}} arg    what it does")
    sys.exit(0)
def end(why):
    print(f"ERROR: *** {{why}} ***", file=sys.stderr)
    sys.exit(255)
given, words = {{}}, sys.argv[1:]
while words:
    word = words.pop(0)
    name = word[2:] if word.startswith("--") else None
    if name in flags:
        given[name] = ""
    elif name in values and words:
        given[name] = words.pop(0)
    else:
        end(f"unrecognised option '{{word}}'")
if given["codec"] != "h264" or given["output"] != "-" or given["camera"] != "0" or given["timeout"] != "0":
    end(f"other options than perchd's: {{given}}")
if "libav-format" not in values:
    end("Unable to find an appropriate H.264 codec")
if given.get("libav-format") != "h264":
    end("libav: cannot allocate output context")
size, rate = f"{{given['width']}}x{{given['height']}}", given["framerate"]
os.execvp("ffmpeg", ["ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", f"smptebars=size={{size}}:rate={{rate}},format=yuv420p", "-c:v", "libx264",
    "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "18", "-g", given["intra"], "-f", "h264", "-"])
"""


def install(folder, values=(), flags=()):
    """Puts the stand-in into `folder`, with these options in addition to those of every build."""
    path = f"{folder}/rpicam-vid"
    with open(path, "w", encoding="utf-8") as file:
        file.write(STAND_IN.format(values=VALUES + list(values), flags=FLAGS + list(flags)))
    os.chmod(path, 0o755)


def guest(lab):
    devices.load("v4l2loopback", video_nr=loopback.NODE[len("/dev/video"):], card_label="unicam", exclusive_caps=1)
    sensor = subprocess.Popen(
        ("v4l2-ctl", "-d", loopback.NODE, "-x", "width=640,height=480,pixelformat=BA81", "--stream-out-mmap=3"), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    words = []
    try:
        wait_for(
            lambda: "BA81" in devices.run("v4l2-ctl", "-d", loopback.NODE, "--list-formats", check=False), 20, "the loop device gives no Bayer data", 1
        )
        folder = f"{lab.scratch}/bin"
        os.makedirs(folder)
        path = {"PATH": f"{folder}:{os.environ['PATH']}"}
        with Perchd(lab, environment={"PATH": folder}) as perchd:
            for package in ("rpicam-apps-core", "rpicam-apps-encoder"):
                wait_for(lambda package=package: package in str(perchd.camera()), 20, f"{package} is not named", 1)
        install(folder)
        with Perchd(lab, environment=path) as perchd:
            wait_for(lambda: "install rpicam-apps-encoder" in str(perchd.camera()), 30, "the missing encoder is not named", 1)
        for build, (values, flags) in {"of before November 2024": (LIBAV[0], []), "of today": LIBAV}.items():
            install(folder, values, flags)
            with Perchd(lab, environment=path, source="auto") as perchd:
                took = perchd.wait_live(30)
                perchd.wait_segments(1, 10)
                said = str(perchd.camera())
                perchd.save("loop.ts")
            require("through rpicam-vid" in said, said)
            words.append(f"live through rpicam-vid {build} after {took:.1f} s")
    finally:
        sensor.kill()
        sensor.wait(10)
    return "; ".join(words)


def check(lab):
    _, decibels = loopback.compare(lab)
    return f"{decibels:.1f} dB"
