"""The lab's own encoder keeps to the specification, by v4l2-compliance: multi- and single-planar. Nothing of Perch runs here."""

import re

from lab import devices
from lab.failure import require

# Debian 12 has a v4l2-compliance that is older than its kernel, and expects the older name of NV12.
OLDER_THAN_KERNEL = "fmtdesc.description mismatch"


def guest(lab):
    for multiplanar in (1, 0):
        node = devices.encoder(multiplanar=multiplanar)
        camera = devices.camera()
        words = devices.run("v4l2-compliance", "-d", node, "-e", camera, "-s", seconds=100, check=False)
        with open(f"{lab.out}/compliance-{multiplanar}.txt", "w", encoding="utf-8") as file:
            file.write(words)
        total = re.search(r"Total for .*: (\d+), Succeeded: (\d+), Failed: (\d+)", words)
        require(total, f"v4l2-compliance came to no end: {words[-300:]}")
        failed = [line.strip() for line in words.splitlines() if "fail:" in line and OLDER_THAN_KERNEL not in line]
        require(not failed, f"multiplanar={multiplanar}: {failed}")
        require(int(total.group(2)) >= 45, f"only {total.group(2)} tests ran and succeeded")
        devices.unload("vivid", devices.ENCODER)
    return f"{total.group(2)} tests succeeded each"
