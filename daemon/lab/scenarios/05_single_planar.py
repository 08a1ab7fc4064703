"""An encoder with single-planar queues, and camera and encoder both with contiguous memory."""

from lab import pipeline


def guest(lab):
    return pipeline.run(lab, "YU12", zero_copy=True, camera={"allocators": 1}, multiplanar=0, contiguous=1)


def check(lab):
    return pipeline.compare(lab, "YU12")
