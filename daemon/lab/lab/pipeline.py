"""The pipeline from vivid through the H.264 encoder to the players: sets it up, runs it, compares pictures at both ends."""

import contextlib

from . import devices, picture
from .daemon import Perchd
from .failure import require

# ffmpeg's names.
PIXEL_FORMATS = {"YU12": "yuv420p", "NV12": "nv12", "YUYV": "yuyv422"}


@contextlib.contextmanager
def streaming(lab, fourcc="NV12", camera=None, daemon=None, **encoder):
    """A live perchd on vivid and the encoder, which accepts only `fourcc`; yields the daemon and the camera's device."""
    node = devices.camera(**(camera or {}))
    devices.encoder(**({"formats": devices.ONLY[fourcc]} | encoder))
    with Perchd(lab, **({"device": node, "encoder": "v4l2-m2m"} | (daemon or {}))) as perchd:
        perchd.wait_live()
        yield perchd, node


def run(lab, fourcc, zero_copy, camera=None, **encoder):
    """Streams a still picture for some segments and saves both for `compare`."""
    node = devices.camera(**(camera or {}))
    devices.encoder(formats=devices.ONLY[fourcc], **encoder)
    devices.still_picture(node)
    devices.raw_picture(node, f"{lab.out}/{fourcc}.raw", fourcc)
    with Perchd(lab, device=node, encoder="v4l2-m2m") as perchd:
        took = perchd.wait_live()
        perchd.wait_segments(1, 10)
        live = perchd.camera()
        require(perchd.metric("capture_times_changed") == 0, "the camera's time stamps were taken for wrong ones")
        perchd.save(f"{fourcc}.ts")
    words = f"{live.get('camera')}, {live.get('encoder')}"
    require("perch-h264-m2m" in words, f"the encoder was not used: {words}")
    with open(perchd.log, encoding="utf-8", errors="replace") as log:
        copied = "frames are copied" in log.read()
    require(copied != zero_copy, f"frames are {'' if copied else 'not '}copied: {words}")
    require((live["width"], live["height"]) == (320, 180), f"{live['width']}x{live['height']} instead of 320x180")
    devices.unload("vivid", devices.ENCODER)
    return f"{words}: live after {took:.1f} s"


def compare(lab, fourcc):
    """On the host: compares the picture in the segments with the camera's."""
    picture.decodes(f"{lab.out}/{fourcc}.ts")
    decibels = picture.psnr(f"{lab.out}/{fourcc}.raw", PIXEL_FORMATS[fourcc], f"{lab.out}/{fourcc}.ts")
    # The encoder is lossless; only YUYV's chroma is halved.
    require(decibels >= (38 if fourcc == "YUYV" else 60), f"{fourcc}: PSNR is {decibels:.1f} dB")
    return f"{fourcc}: {decibels:.1f} dB"
