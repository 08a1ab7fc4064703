#!/usr/bin/env python3
"""A camera that emits H.264, played from a file: writes each access unit to standard output when it is due, for ever.

    pacer.py CLIP.h264|CLIP.ts [IDR_LOG]

Both perchd (as its `command` source) and ffmpeg read from it, so the cost of pacing is counted on neither side. For each IDR it appends to
IDR_LOG the monotonic time, in nanoseconds, at which it began to write the picture.
"""

import os
import sys
import time
from pathlib import Path

import clip


def main() -> None:
    stream = Path(sys.argv[1]).read_bytes()
    log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if len(sys.argv) > 2 else None
    units = clip.transport_units(stream) if sys.argv[1].endswith(".ts") else clip.access_units(stream)
    pictures = memoryview(stream)
    begin = time.monotonic()
    sent = 0
    while True:
        for unit in units:
            time.sleep(max(0.0, begin + sent / clip.FRAMES_PER_SECOND - time.monotonic()))
            if unit.is_idr and log is not None:
                os.write(log, b"%d\n" % time.monotonic_ns())
            rest = pictures[unit.start : unit.end]
            while rest:
                rest = rest[os.write(sys.stdout.fileno(), rest) :]
            sent += 1


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # the reader has closed the pipe
