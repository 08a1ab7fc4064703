"""A camera that gives MJPEG: v4l2loopback fed by ffmpeg; perchd decodes, and the board's encoder codes."""

from lab import devices, loopback, picture
from lab.daemon import Perchd
from lab.failure import require


def guest(lab):
    devices.encoder()
    feeder = loopback.feed("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p")
    try:
        with Perchd(lab, device=loopback.NODE, encoder="auto") as perchd:
            took = perchd.wait_live(30)
            perchd.wait_segments(1, 10)
            live = perchd.camera()
            require("perch-h264-m2m" in live["encoder"], f"the encoder is {live['encoder']}")
            perchd.save("loop.ts")
    finally:
        feeder.kill()
        feeder.wait(10)
    return f"{live['camera']}, {live['encoder']}: live after {took:.1f} s"


def check(lab):
    path = f"{lab.out}/loop.ts"
    picture.decodes(path)
    picture.ffmpeg("-v", "error", *loopback.BARS, "-frames:v", "1", "-f", "rawvideo", f"{lab.out}/bars.raw")
    decibels = picture.psnr(f"{lab.out}/bars.raw", "yuv420p", path)
    require(decibels >= 30, f"PSNR is {decibels:.1f} dB")
    return f"{decibels:.1f} dB"
