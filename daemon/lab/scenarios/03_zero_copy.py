"""vivid → H.264 encoder → HLS with buffers passed on as DMABUF, so that the CPU copies no frame: YUYV and NV12."""

from lab import pipeline


def guest(lab):
    return "; ".join(pipeline.run(lab, fourcc, zero_copy=True) for fourcc in ("YUYV", "NV12"))


def check(lab):
    return "; ".join(pipeline.compare(lab, fourcc) for fourcc in ("YUYV", "NV12"))
