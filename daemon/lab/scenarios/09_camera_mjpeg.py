"""A camera that gives MJPEG: v4l2loopback fed by ffmpeg; perchd decodes, and the board's encoder encodes."""

from lab import devices, loopback
from lab.failure import require


def guest(lab):
    devices.encoder()
    live, took = loopback.film(lab, "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p")
    require("perch-h264-m2m" in live["encoder"], f"the encoder is {live['encoder']}")
    return f"{live['camera']}, {live['encoder']}: live after {took:.1f} s"


def check(lab):
    _, decibels = loopback.compare(lab)
    return f"{decibels:.1f} dB"
