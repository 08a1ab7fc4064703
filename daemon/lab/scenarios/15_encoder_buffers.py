"""The encoder gives buffers that are flagged as errors, or empty: viewers see no smear, only a picture less and an IDR."""

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


def check(lab):
    for name in ("error_every", "empty_every", "after"):
        picture.decodes(f"{lab.out}/{name}.ts")
    return "what is shown meanwhile and afterwards decodes without complaint"
