"""The camera is unplugged while it streams, its driver is unloaded, and it comes back under another /dev/video number."""

import glob
import os

from lab import devices, pipeline
from lab.failure import require, wait_for


def by_path():
    """vivid's stable link."""
    links = glob.glob("/dev/v4l/by-path/*vivid*")
    return links[0] if links else None


def guest(lab):
    node = devices.camera()
    link, _ = wait_for(by_path, 10, "udev made no link for vivid in /dev/v4l/by-path")
    devices.unload("vivid")
    with pipeline.streaming(lab, daemon={"device": link}) as (perchd, _):
        seams = perchd.metric("seams")
        with open("/sys/bus/platform/drivers/vivid/unbind", "w", encoding="ascii") as file:
            file.write("vivid.0")
        state, gone = wait_for(
            lambda: perchd.camera() if perchd.camera().get("state") == "waiting" else None, 10,
            lambda: f"the missing camera is not reported: {perchd.say()}",
        )
        require(state["detail"], "the missing camera is reported without words")
        require(perchd.get("/healthz")[0] == 200, "/healthz is not 200 while the camera is missing")
        devices.unload("vivid")
        # Another device takes the number.
        devices.load("v4l2loopback", video_nr=node[len("/dev/video"):])

        def plug_in():
            require(devices.camera() != node, "vivid came back under its old number")

        took = perchd.recovers(plug_in, seam=False)
        require(perchd.metric("seams") > seams, "no discontinuity after the camera was replugged")
        now = os.path.realpath(link)
    return f"{node} is {now} now; missed after {gone:.1f} s ({state['detail']}); live {took:.1f} s after it was plugged in"
