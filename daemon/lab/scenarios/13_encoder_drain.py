"""Draining loses the last frames, or never ends: at a seam and when the daemon stops."""

import time

from lab import devices, pipeline
from lab.failure import require


def guest(lab):
    with pipeline.streaming(lab, hold=2, drain_loses=2) as (perchd, node):
        lossy = perchd.recovers(lambda: devices.control(node, "disconnect", 1))
        devices.order("drain_hangs", 1)
        hanging = perchd.recovers(lambda: devices.control(node, "disconnect", 1))
        began = time.monotonic()
        perchd.stop()
        ended = time.monotonic() - began
        require(ended < 8, f"the daemon took {ended:.1f} s to end")
    return f"lossy: back after {lossy:.1f} s; hanging: {hanging:.1f} s; the daemon ended in {ended:.1f} s"
