"""Makes a recording of 3.9 GB on FAT without writing that much: the file gets more clusters in the tables of the unmounted disk, and the
recording's index lists them as recorded. Only the end, which recovery reads again, is really written."""

import struct
import zlib

from .failure import require

ENTRY, FREE_COUNT = 32, 488
# Fragments at the end that are really written; recovery reads the last 16 again.
COPIES = 20


def lengthen(device, extension, size):
    """Extends the only file with this extension in the folder `perch` to this many bytes. FAT32, not mounted. The added bytes read as zeros."""
    with open(device, "r+b") as disk:
        boot = disk.read(512)
        (sector,), per_cluster, (reserved,), fats = struct.unpack("<H", boot[11:13]), boot[13], struct.unpack("<H", boot[14:16]), boot[16]
        fat_bytes = struct.unpack("<I", boot[36:40])[0] * sector
        root, info = struct.unpack("<I", boot[44:48])[0], struct.unpack("<H", boot[48:50])[0]
        cluster = sector * per_cluster
        disk.seek(reserved * sector)
        table = list(struct.unpack(f"<{fat_bytes // 4}I", disk.read(fat_bytes)))

        def place(number):
            return reserved * sector + fats * fat_bytes + (number - 2) * cluster

        def chain(number):
            while 2 <= number < 0x0FFFFFF8:
                yield number
                number = table[number] & 0x0FFFFFFF

        def entries(folder):
            for number in chain(folder):
                disk.seek(place(number))
                data = disk.read(cluster)
                for at in range(0, cluster, ENTRY):
                    entry = data[at : at + ENTRY]
                    if entry[0] not in (0, 0xE5) and entry[11] != 0x0F:
                        first = struct.unpack("<H", entry[20:22])[0] << 16 | struct.unpack("<H", entry[26:28])[0]
                        yield place(number) + at, entry[:11], first

        (folder,) = (first for _, name, first in entries(root) if name.startswith(b"PERCH "))
        ((at, first),) = ((at, first) for at, name, first in entries(folder) if name.endswith(extension))
        have = list(chain(first))
        added = [number for number in range(max(n for n, next_one in enumerate(table) if next_one) + 1, len(table))]
        added = added[: -(-size // cluster) - len(have)]
        for one, after in zip([have[-1], *added], [*added, 0x0FFFFFFF]):
            table[one] = after
        require(len(have) + len(added) == -(-size // cluster), "the disk is too small")
        packed = struct.pack(f"<{len(table)}I", *table)
        for copy in range(fats):
            disk.seek(reserved * sector + copy * fat_bytes)
            disk.write(packed)
        disk.seek(info * sector + FREE_COUNT)
        disk.write(b"\xff" * 8)
        disk.seek(at + 28)
        disk.write(struct.pack("<I", size))


def varint(number):
    """Encodes a varint (LEB128), as in an index."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def take(data, at):
    """A varint of `data` and where it ends."""
    number, shift = 0, 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return number, at


class Long:
    """The extension of a part to `size` bytes: fragments that are only in the index, and then copies of its first one."""

    def __init__(self, media, index, size):
        with open(index, "rb") as file:
            data = file.read()
        self.head, (init,) = data[:36], struct.unpack(">I", data[28:32])
        length, at = take(data, 36)
        self.record = data[36 : at + length + 4]
        _, after_gap = take(data, at)
        self.bytes, _ = take(data, after_gap)
        with open(media, "rb") as file:
            file.seek(init)
            self.fragment = file.read(self.bytes)
        self.unwritten = (size - COPIES * self.bytes - init) // 100
        self.at = init + 100 * self.unwritten
        self.size = self.at + COPIES * self.bytes

    def write(self, media, index):
        """Writes its end, and its index."""
        with open(media, "r+b") as file:
            file.seek(self.at)
            file.write(self.fragment * COPIES)
        sample = self.unwritten - 100
        record = b"".join(map(varint, (0, self.unwritten, 3, 0, 0, 0, 100, 1, sample << 3 | 5, 3000)))
        record = varint(len(record)) + record + struct.pack(">I", zlib.crc32(record))
        with open(index, "wb") as file:
            file.write(self.head + record * 100 + self.record * COPIES)
