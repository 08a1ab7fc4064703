"""Logs every write to a disk (dm-log-writes), and reconstructs the disk as a power failure before any entry of the log would leave it.

The log (Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c): a superblock, then entries of one sector, each followed by its
data. The kernel logs a write when a flush comes that puts it on the disk, in front of that flush. Between two flushes a disk may have written any part of its
cache in any order. So after a cut the disk has everything before the last flush, and of the writes after it a random part of their 4 KiB blocks.
"""

import contextlib
import dataclasses
import os
import struct

from . import devices
from .failure import require

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
BLOCK = 4096


@contextlib.contextmanager
def loop(path):
    """A block device backed by a file."""
    devices.load("loop")
    device = devices.run("losetup", "--find", "--show", path).strip()
    try:
        yield device
    finally:
        devices.run("losetup", "--detach", device)


@contextlib.contextmanager
def mounted(device, folder, options):
    """Mounts a device. There is no fsck: after a cut the kernel recovers the file system (ext4's journal, f2fs's last checkpoint)."""
    os.makedirs(folder, exist_ok=True)
    devices.run("mount", "-o", options, device, folder, seconds=60)
    try:
        yield folder
    finally:
        devices.run("umount", folder, seconds=60)


class Logged:
    """A device that logs its writes on another one. Use it with `with`."""

    name = "perch-logged"

    def __init__(self, device, log):
        devices.load("dm-log-writes")
        sectors = devices.run("blockdev", "--getsz", device).strip()
        devices.run("dmsetup", "create", self.name, "--noudevsync", "--table", f"0 {sectors} log-writes {device} {log}")
        devices.run("dmsetup", "mknodes", self.name)
        self.device = f"/dev/mapper/{self.name}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        devices.run("dmsetup", "remove", "--noudevsync", "--retry", self.name, seconds=60)

    def mark(self, number):
        """Writes a number into the log, after everything that was flushed before."""
        devices.run("dmsetup", "message", self.name, "0", "mark", str(number))


@dataclasses.dataclass
class Entry:
    """One write, flush or mark."""

    flags: int
    at: int
    """In bytes, on the disk."""
    length: int
    data_at: int
    """Position of the bytes in the log."""
    mark: int = -1


def read(path):
    """All entries of a log."""
    entries = []
    with open(path, "rb") as log:
        magic, version, count, sector = struct.unpack("<QQQI", log.read(28))
        require((magic, version) == (MAGIC, 1), f"{path} is no log of dm-log-writes")
        at = sector
        for _ in range(count):
            log.seek(at)
            header = log.read(sector)
            first, sectors, flags, data_length = struct.unpack("<QQQQ", header[:32])
            entry = Entry(flags, first * sector, sectors * sector, at + sector)
            text = header[32:32 + data_length]
            if flags & MARK and text.isdigit():
                entry.mark = int(text)
            entries.append(entry)
            at += sector + (0 if flags & (DISCARD | MARK) else entry.length)
    return entries


class Replay:
    """Reconstructs disks as a cut would leave them. Cuts must be requested in the order of the log."""

    def __init__(self, log_path, durable):
        self.entries = read(log_path)
        self.log = open(log_path, "rb")  # pylint: disable=consult-using-with
        self.durable = durable
        self.next = 0

    def marks(self, cut):
        """The number of the last mark before a cut; -1 before the first."""
        return max((entry.mark for entry in self.entries[:cut]), default=-1)

    def cut(self, cut, path, chance):
        """Writes to `path` the disk as it is if the power fails before entry `cut`. Returns the number of unflushed blocks on it."""
        flushed = max((index for index in range(cut) if self.entries[index].flags & FLUSH), default=-1)
        with open(self.durable, "r+b") as disk:
            # A write with a flush comes after that flush, so it is not flushed itself.
            for entry in self.entries[self.next:max(flushed, self.next)]:
                self._write(disk, entry)
        self.next = max(flushed, self.next)
        devices.run("cp", "--sparse=always", self.durable, path, seconds=60)
        blocks, kept = [], 0
        with open(path, "r+b") as disk:
            for entry in self.entries[self.next:cut]:
                if entry.flags & FUA:
                    self._write(disk, entry)
                elif not entry.flags & (DISCARD | MARK):
                    blocks += [(entry, offset) for offset in range(0, entry.length, BLOCK)]
            share = chance.choice((0, 0.2, 0.5, 0.8, 1))
            chance.shuffle(blocks)
            for entry, offset in blocks:
                if chance.random() < share:
                    self._write(disk, entry, offset, BLOCK)
                    kept += 1
        return f"{kept} of {len(blocks)} unflushed blocks"

    def _write(self, disk, entry, offset=0, most=None):
        if entry.flags & (DISCARD | MARK) or not entry.length:
            return
        length = entry.length - offset if most is None else min(most, entry.length - offset)
        self.log.seek(entry.data_at + offset)
        disk.seek(entry.at + offset)
        disk.write(self.log.read(length))
