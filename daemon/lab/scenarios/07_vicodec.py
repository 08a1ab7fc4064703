"""perch-device on vicodec, an encoder we did not write, with its unmodified driver: single- and multi-planar, copied and passed on as DMABUF.

vicodec codes FWHT, which perchd does not know: perch-device's example `encode_camera` runs, and vicodec's own decoder shows the pictures.
"""

import os
import re

from lab import devices, picture
from lab.failure import require

# vicodec needs at least 640x360, and memory for a height that is a multiple of 16.
WIDTH, HEIGHT, FRAMES = 640, 480, 12


def encode(lab, camera, name, *options):
    """Runs the example; returns its counts."""
    encoder = devices.node("stateful-encoder")
    words = devices.run(
        f"{lab.tools}/encode_camera", camera, encoder, "--format", "NV12", "--size", f"{WIDTH}x{HEIGHT}", "--rate", "5",
        "--frames", str(FRAMES), "--gives", "FWHT", "--coded", f"{lab.out}/{name}.fwht", *options, seconds=60,
    )
    return dict(re.findall(r"(\w+)=(\S+)", words))


def guest(lab):
    camera = devices.camera()
    for multiplanar in (0, 1):
        devices.load("vicodec", multiplanar=multiplanar)
        name = f"planes-{multiplanar}"
        counted = encode(lab, camera, name, "--raw", f"{lab.out}/{name}.nv12")
        require(counted.get("pictures") == counted.get("frames") == str(FRAMES), f"{name}: {counted}")
        devices.run(
            "v4l2-ctl", "-d", devices.node("stateful-decoder"), f"--set-fmt-video-out=width={WIDTH},height={HEIGHT},pixelformat=FWHT",
            "--set-fmt-video=pixelformat=NV12", "--stream-mmap", "--stream-out-mmap", f"--stream-from={lab.out}/{name}.fwht",
            f"--stream-to={lab.out}/{name}.decoded", seconds=60,
        )
        counted = encode(lab, camera, f"{name}-zero-copy", "--import")
        require(counted.get("zero_copy") == "true", f"{name}: no zero-copy: {counted}")
        require(counted.get("pictures") == str(FRAMES) and counted.get("backwards") == "0", f"{name}: {counted}")
        devices.unload("vicodec")


def check(lab):
    worst = 99.0
    size = WIDTH * HEIGHT * 3 // 2
    for multiplanar in (0, 1):
        name = f"{lab.out}/planes-{multiplanar}"
        decoded = os.path.getsize(f"{name}.decoded")
        # vicodec's decoder holds the last picture back until more data arrives.
        require(decoded >= (FRAMES - 1) * size, f"{decoded // size} pictures of {FRAMES} decode")
        with open(f"{name}.nv12", "rb") as sent, open(f"{name}.decoded", "rb") as got:
            for _ in range(FRAMES - 1):
                worst = min(worst, picture.psnr_of(sent.read(size), got.read(size)))
        for file in (f"{name}.fwht", f"{name}-zero-copy.fwht"):
            with open(file, "rb") as coded:
                # The magic number before every picture: drivers/media/test-drivers/vicodec/codec-fwht.h
                magics = coded.read().count(b"\x4f\x4f\x4f\x4f\xff\xff\xff\xff")
            require(magics >= FRAMES, f"{os.path.basename(file)} has {magics} pictures, {FRAMES} were expected")
    require(worst >= 30, f"the worst picture has a PSNR of {worst:.1f} dB")
    return f"worst picture {worst:.1f} dB"
