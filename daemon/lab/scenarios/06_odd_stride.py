"""The encoder's rows are an odd number of bytes longer than the camera's: widths such as 1296 do that on real boards."""

from lab import pipeline


def guest(lab):
    return "; ".join(pipeline.run(lab, fourcc, zero_copy=False, odd_stride=7) for fourcc in ("NV12", "YU12", "YUYV"))


def check(lab):
    return "; ".join(pipeline.compare(lab, fourcc) for fourcc in ("NV12", "YU12", "YUYV"))
