"""vivid's own fault injections while it streams: unplugged mid-frame, flagged buffers, dropped frames."""

from lab import devices, pipeline
from lab.failure import require


def guest(lab):
    with pipeline.streaming(lab) as (perchd, node):
        took = perchd.recovers(lambda: devices.control(node, "disconnect", 1))
        words = [f"disconnect: back after {took:.1f} s"]

        errors = perchd.metric("capture_errors")
        took = perchd.recovers(lambda: devices.control(node, "inject_v4l2_buf_flag_error", 1), seam=False)
        require(perchd.metric("capture_errors") > errors, "the flagged buffer was not counted")
        words.append(f"flagged buffer: next segment after {took:.1f} s")

        errors = perchd.metric("capture_errors")
        devices.control(node, "percentage_of_dropped_buffers", 30)
        perchd.wait_segments(3, 10)
        devices.control(node, "percentage_of_dropped_buffers", 0)
        require(perchd.metric("capture_errors") > errors, "dropped frames were not counted")
        words.append("a third of the frames dropped: segments went on")
    return "; ".join(words)
