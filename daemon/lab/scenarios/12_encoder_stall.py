"""The encoder stalls and is slow to stop: only closing its file helps."""

from lab import devices, pipeline
from lab.failure import wait_for


def guest(lab):
    with pipeline.streaming(lab) as (perchd, _):

        def stall():
            devices.order("stall_after", 3)
            wait_for(lambda: devices.ordered("stall_after") == "0", 5, "the order to stall was not taken up")

        quick = perchd.recovers(stall)
        devices.order("stall_stop_ms", 500)
        slow = perchd.recovers(stall)
    return f"back after {quick:.1f} s; with a STREAMOFF that takes half a second on each queue, {slow:.1f} s"
