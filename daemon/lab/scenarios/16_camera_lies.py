"""A camera that refuses to start at first, whose queue dies, whose clock is years off and wraps while it streams."""

from lab import devices, picture
from lab.daemon import Perchd
from lab.failure import require


def guest(lab):
    node = devices.camera()
    devices.encoder(formats=devices.ONLY["NV12"])
    # Each fault happens once: at the first STREAMON, QBUF and REQBUFS.
    for refusal in ("inject_vidioc_streamon_error", "inject_vidioc_qbuf_error", "inject_vidioc_reqbufs_error"):
        devices.control(node, refusal, 1)
    devices.control(node, "wrap_timestamp", 1)
    devices.control(node, "wrap_sequence_number", 1)
    with Perchd(lab, device=node, encoder="v4l2-m2m") as perchd:
        took = perchd.wait_live()
        words = [f"refused thrice: live after {took:.1f} s"]
        changed = perchd.metric("capture_times_changed")
        require(changed > 0, "vivid's time stamps were believed")
        words.append(f"{changed:.0f} time stamps put right")
        took = perchd.recovers(lambda: devices.control(node, "inject_fatal_streaming_error", 1))
        words.append(f"dead queue: back after {took:.1f} s")
        perchd.save("after.ts")
    return "; ".join(words)


def check(lab):
    picture.decodes(f"{lab.out}/after.ts")
    return ""
