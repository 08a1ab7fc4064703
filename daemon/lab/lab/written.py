"""What is written to a disk, from the kernel's block statistics (Documentation/block/stat.rst)."""

import dataclasses
import os


@dataclasses.dataclass
class Written:
    """Of a block device, so far; or from one moment to another."""

    bytes: int
    writes: int
    flushes: int
    """Requests to put everything on the disk for good. A write that carries one counts as well."""

    @staticmethod
    def to(device):
        """So far since the device is there."""
        with open(f"/sys/class/block/{os.path.basename(os.path.realpath(device))}/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.read().split()]
        # Sectors of 512 bytes, whatever the device's own are.
        return Written(fields[6] * 512, fields[4], fields[15])

    def __sub__(self, before):
        return Written(self.bytes - before.bytes, self.writes - before.writes, self.flushes - before.flushes)
