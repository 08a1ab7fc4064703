"""Bytes written to a disk, from the kernel's block statistics (Documentation/block/stat.rst)."""

import dataclasses
import os


@dataclasses.dataclass
class Written:
    """Counts of a block device, in total or between two moments."""

    bytes: int
    writes: int
    flushes: int
    """Flush requests, including writes that carry one."""

    @staticmethod
    def to(device):
        """The counts since the device appeared."""
        with open(f"/sys/class/block/{os.path.basename(os.path.realpath(device))}/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.read().split()]
        # Sectors of 512 bytes, whatever the device's own are.
        return Written(fields[6] * 512, fields[4], fields[15])

    def __sub__(self, before):
        return Written(self.bytes - before.bytes, self.writes - before.writes, self.flushes - before.flushes)
