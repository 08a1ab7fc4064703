"""A camera that codes H.264 itself: v4l2loopback fed by x264, no B-frames, four slices a picture. perchd only passes it on."""

from lab import loopback, picture
from lab.daemon import Perchd
from lab.failure import require

def guest(lab):
    feeder = loopback.feed(
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "18", "-bf", "0", "-g", "10", "-slices", "4"
    )
    try:
        with Perchd(lab, device=loopback.NODE, encoder="auto") as perchd:
            took = perchd.wait_live(30)
            perchd.wait_segments(1, 10)
            live = perchd.camera()
            require(live["encoder"] == "the camera itself", f"the encoder is {live['encoder']}")
            perchd.save("loop.ts")
    finally:
        feeder.kill()
        feeder.wait(10)
    return f"{live['camera']}: live after {took:.1f} s"


def check(lab):
    path = f"{lab.out}/loop.ts"
    picture.decodes(path)
    picture.ffmpeg("-v", "error", *loopback.BARS, "-frames:v", "1", "-f", "rawvideo", f"{lab.out}/bars.raw")
    decibels = picture.psnr(f"{lab.out}/bars.raw", "yuv420p", path)
    require(decibels >= 30, f"PSNR is {decibels:.1f} dB")
    picture.ffmpeg("-v", "error", "-i", path, "-c", "copy", "-f", "h264", f"{lab.out}/loop.h264")
    with open(f"{lab.out}/loop.h264", "rb") as file:
        units = file.read().split(b"\x00\x00\x01")[1:]
    slices = sum(unit[0] & 0x1F in (1, 5) for unit in units)
    pictures = picture.frames(path)
    require(slices == 4 * pictures, f"{slices} slices in {pictures} pictures, four each were sent")
    return f"{decibels:.1f} dB, {slices} slices in {pictures} pictures"
