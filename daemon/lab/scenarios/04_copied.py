"""The encoder needs contiguous memory and the camera's is not: frames are copied into the encoder's buffers. YUYV and NV12."""

from lab import pipeline


def guest(lab):
    return "; ".join(pipeline.run(lab, fourcc, zero_copy=False, contiguous=1) for fourcc in ("YUYV", "NV12"))


def check(lab):
    return "; ".join(pipeline.compare(lab, fourcc) for fourcc in ("YUYV", "NV12"))
