"""The encoder returns buffers that are flagged as errors, or empty: viewers see no smear, only a missing picture and an IDR."""

from lab import devices, picture, pipeline
from lab.failure import require


def guest(lab):
    with pipeline.streaming(lab) as (perchd, _):
        words = []
        for switch in ("error_every", "empty_every"):
            errors = perchd.metric("capture_errors")
            devices.order(switch, 7)
            perchd.wait_segments(4, 12)
            perchd.save(f"{switch}.ts", 2)
            devices.order(switch, 0)
            lost = perchd.metric("capture_errors") - errors
            require(lost >= 2, f"{switch}: only {lost} were counted")
            words.append(f"{switch} 7: {lost:.0f} counted")
        perchd.wait_segments(2, 8)
        perchd.save("after.ts", 1)
    return "; ".join(words)


def frame_numbers(path):
    """(is IDR, frame_num) of every picture; our encoder writes frame_num in eight bits (ITU-T H.264 7.3.3)."""
    picture.ffmpeg("-v", "error", "-i", path, "-c", "copy", "-f", "h264", f"{path}.h264")
    with open(f"{path}.h264", "rb") as file:
        units = file.read().split(b"\x00\x00\x01")[1:]
    for unit in units:
        if unit[0] & 0x1F not in (1, 5):
            continue
        header = unit[1:17].replace(b"\x00\x00\x03", b"\x00\x00")
        bits = "".join(f"{byte:08b}" for byte in header)
        for _ in ("first_mb_in_slice", "slice_type", "pic_parameter_set_id"):
            zeros = bits.index("1")
            bits = bits[2 * zeros + 1:]
        yield unit[0] & 0x1F == 5, int(bits[:8], 2)


def check(lab):
    for name in ("error_every", "empty_every", "after"):
        path = f"{lab.out}/{name}.ts"
        picture.decodes(path)
        before, pictures = None, 0
        for is_idr, number in frame_numbers(path):
            require(is_idr or before is None or number == (before + 1) % 256, f"{name}: picture {before} is followed by {number}")
            before, pictures = number, pictures + 1
        require(pictures > 5, f"{name}: {pictures} pictures")
    return "no picture is shown after a lost one without an IDR"
