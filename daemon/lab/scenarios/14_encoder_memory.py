"""Too little contiguous memory: requests for buffers fail with ENOMEM, for many buffers or for a while."""

from lab import devices, pipeline
from lab.daemon import Perchd
from lab.failure import wait_for


def guest(lab):
    with pipeline.streaming(lab, enomem_above=2) as (perchd, _):
        words = [f"with 2 buffers: {perchd.camera()['encoder']}"]
    devices.unload("vivid", devices.ENCODER)

    node = devices.camera()
    devices.encoder(formats=2, enomem_times=1000000)
    with Perchd(lab, device=node, encoder="v4l2-m2m") as perchd:
        told, _ = wait_for(
            lambda: perchd.camera().get("detail"), 15, lambda: f"no word of the missing memory: {perchd.say()}"
        )
        words.append(f"without: \"{told}\"")
        took = perchd.recovers(lambda: devices.order("enomem_times", 0), seam=False)
        words.append(f"live {took:.1f} s after memory was there")
    return "; ".join(words)
