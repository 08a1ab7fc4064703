"""The encoder gives buffers that are flagged as errors, or empty."""

from lab import devices, picture, pipeline
from lab.failure import require


def guest(lab):
    with pipeline.streaming(lab) as (perchd, _):
        words = []
        for switch in ("error_every", "empty_every"):
            errors = perchd.metric("capture_errors")
            devices.order(switch, 7)
            perchd.wait_segments(4, 12)
            devices.order(switch, 0)
            lost = perchd.metric("capture_errors") - errors
            require(lost >= 2, f"{switch}: only {lost} were counted")
            words.append(f"{switch} 7: {lost:.0f} counted")
        perchd.wait_segments(2, 8)
        perchd.save("after.ts", 1)
    return "; ".join(words)


def check(lab):
    picture.decodes(f"{lab.out}/after.ts")
    return "and the stream after it decodes without complaint"
