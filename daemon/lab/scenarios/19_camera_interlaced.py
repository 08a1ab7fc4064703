"""A grabber of analogue video gives two fields in each picture, taken at different moments: viewers see one of them, and no combing where something moves."""

from lab import devices, picture
from lab.daemon import Perchd
from lab.failure import require

WIDTH, HEIGHT = 320, 240


def guest(lab):
    # An S-Video input, which vivid can scale; its bars move to the right.
    devices.load("vivid", n_devs=1, node_types="0x1", num_inputs=1, input_types="0x2", ccs_cap_mode=7)
    node = devices.node("vivid")
    devices.encoder(formats=devices.ONLY["NV12"])
    devices.control(node, "osd_text_mode", 2)
    devices.control(node, "horizontal_movement", 6)
    probed = devices.run(lab.perchd, "probe")
    require("interlaced" in probed, f"perchd probe does not say it: {probed}")
    with Perchd(lab, device=node, encoder="v4l2-m2m", width=WIDTH, height=HEIGHT) as perchd:
        took = perchd.wait_live(30)
        perchd.wait_segments(1, 20)
        live = perchd.camera()
        require("deinterlaced" in live["camera"], f"the camera is {live['camera']}")
        perchd.save("fields.ts")
    return f"{live['camera']}: live after {took:.1f} s"


def check(lab):
    path = f"{lab.out}/fields.ts"
    picture.decodes(path)
    picture.ffmpeg("-v", "error", "-i", path, "-pix_fmt", "yuv420p", "-f", "rawvideo", f"{path}.420")
    worst, pictures = 0, set()
    with open(f"{path}.420", "rb") as file:
        while data := file.read(WIDTH * HEIGHT * 3 // 2):
            rows = [data[at:at + WIDTH] for at in range(0, WIDTH * HEIGHT, WIDTH)]
            for above, between, below in zip(rows[::2], rows[1::2], rows[2::2]):
                worst = max(worst, max(abs(a + c - 2 * b) for a, b, c in zip(above, between, below)))
            pictures.add(data)
    require(len(pictures) > 2, f"nothing moves: {len(pictures)} different pictures")
    # The encoder is lossless, so only the rounding of the mean remains.
    require(worst <= 1, f"rows of the other field are left: {worst / 2} off the mean of their neighbours")
    return f"no row of the other field in {len(pictures)} pictures"
