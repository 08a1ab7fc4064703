"""A camera that encodes H.264 itself: v4l2loopback fed by x264, no B-frames, four slices per picture. perchd only passes it on."""

from lab import loopback, picture
from lab.failure import require

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "18", "-bf", "0", "-g", "10", "-slices", "4")


def guest(lab):
    live, took = loopback.film(lab, *X264)
    require(live["encoder"] == "the camera itself", f"the encoder is {live['encoder']}")
    return f"{live['camera']}: live after {took:.1f} s"


def check(lab):
    path, decibels = loopback.compare(lab)
    picture.ffmpeg("-v", "error", "-i", path, "-c", "copy", "-f", "h264", f"{lab.out}/loop.h264")
    with open(f"{lab.out}/loop.h264", "rb") as file:
        units = file.read().split(b"\x00\x00\x01")[1:]
    slices = sum(unit[0] & 0x1F in (1, 5) for unit in units)
    pictures = picture.frames(path)
    require(slices == 4 * pictures, f"{slices} slices in {pictures} pictures, four each were sent")
    return f"{decibels:.1f} dB, {slices} slices in {pictures} pictures"
