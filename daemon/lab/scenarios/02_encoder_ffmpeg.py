"""ffmpeg encodes with the lab's encoder and decodes every picture bit-exactly. Nothing of Perch runs here."""

import os

from lab import devices, picture
from lab.failure import require

INPUT = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10", "-frames:v", "25", "-pix_fmt", "yuv420p")


def guest(lab):
    devices.encoder()
    devices.run(
        "ffmpeg", "-v", "error", "-nostdin", *INPUT, "-c:v", "h264_v4l2m2m", "-y", f"{lab.out}/coded.h264", seconds=60
    )


def check(lab):
    coded, decoded, expected = f"{lab.out}/coded.h264", f"{lab.out}/decoded.yuv", f"{lab.out}/expected.yuv"
    picture.decodes(coded)
    picture.ffmpeg("-v", "error", "-i", coded, "-pix_fmt", "yuv420p", "-f", "rawvideo", decoded)
    picture.ffmpeg("-v", "error", *INPUT, "-f", "rawvideo", expected)
    with open(decoded, "rb") as one, open(expected, "rb") as other:
        require(one.read() == other.read(), "the decoded pictures differ from the ones sent in")
    # The same encoder in user space, with harder pictures and layouts that ffmpeg's encoder wrapper cannot send.
    devices.run(os.path.join(os.path.dirname(__file__), "..", "h264-m2m", "test.sh"), seconds=100)
    return "25 pictures came back bit by bit"
