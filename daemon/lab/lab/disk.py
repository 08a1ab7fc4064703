"""Disks for recordings that can be filled, slowed, broken and pulled. They are RAM disks."""

import contextlib
import glob
import os
import subprocess

from . import devices
from .failure import require, wait_for

NAME = "lab-disk"
MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-m", "0"),
    "vfat": ("mkfs.vfat", "-F", "32", "-s", "64"),
    "exfat": ("mkfs.exfat",),
}


def quietly(*command):
    """Runs a command that may fail."""
    subprocess.run(command, capture_output=True, check=False, timeout=60)


def remove_all():
    """Removes what an earlier scenario may have left."""
    for path in reversed(mounts()):
        quietly("umount", "--lazy", path)
    quietly("dmsetup", "remove", "--force", "--noudevsync", NAME)
    for module in ("brd", "scsi_debug"):
        quietly("rmmod", module)


def mounts():
    """Mount points of the lab's disks."""
    with open("/proc/mounts", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [path for device, path, *_ in lines if "/lab-disk" in path and device.startswith("/dev/")]


class Disk:
    """A file system on a block device, mounted on a folder of the scenario. Use it with `with`."""

    def __init__(self, lab, kind):
        self.kind = kind
        self.path = f"{lab.scratch}/{NAME}"
        self.folder = f"{self.path}/perch"
        os.makedirs(self.path, exist_ok=True)
        self.device = ""

    def __enter__(self):
        self.plug_in()
        devices.run(*MAKE[self.kind], self.device)
        self.mount()
        os.makedirs(self.folder)
        return self

    def __exit__(self, kind, error, trace):
        remove_all()

    def plug_in(self):
        """Makes the device appear."""
        raise NotImplementedError

    def mount(self):
        """Mounts it."""
        devices.run("mount", "-t", self.kind, self.device, self.path)

    def unmount(self, lazily=False):
        """Unmounts it: as soon as no file is open, or at once."""
        if lazily:
            devices.run("umount", "--lazy", self.path)
            return
        wait_for(
            lambda: subprocess.run(("umount", self.path), capture_output=True, check=False).returncode == 0, 10,
            lambda: f"{self.path} cannot be unmounted: somebody has a file of it open", 0.5,
        )

    def is_writable(self):
        """Makes it writable again after `read_only`."""
        devices.run("mount", "-o", "remount,rw", self.path)

    def environment(self):
        """Settings that make perchd record on it, up to its last byte."""
        return {
            "PERCH_LIVE_AUTOSTART": "false", "PERCH_RECORDING_FOLDER": self.folder, "PERCH_RECORDING_BUDGET": "100%",
            "PERCH_RECORDING_KEEP_FREE": "0 MB",
        }

    def files(self, extension="mp4"):
        """Files of recordings on it, sorted."""
        return sorted(glob.glob(f"{self.folder}/*.{extension}"))

    def fill(self):
        """Fills it to its last byte; returns the file that fills it."""
        path = f"{self.path}/filler"
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        return path


class FailingDisk(Disk):
    """A disk that fails or waits on request: a RAM disk below device-mapper."""

    def __init__(self, lab, kind, megabytes=64):
        super().__init__(lab, kind)
        self.megabytes = megabytes

    def plug_in(self):
        devices.load("brd", rd_nr=1, rd_size=self.megabytes * 1024)
        for target in ("dm-mod", "dm-flakey", "dm-delay"):
            devices.load(target)
        devices.run("dmsetup", "create", NAME, "--noudevsync", "--table", self.table("linear", "/dev/ram0 0"))
        name = devices.run("dmsetup", "info", "-c", "--noheadings", "-o", "blkdevname", NAME).strip()
        self.device = f"/dev/{name}"

    def table(self, target, arguments=""):
        """A table with one device-mapper target for the whole disk."""
        return f"0 {self.megabytes * 2048} {target} {arguments}".strip()

    def become(self, target, arguments=""):
        """Replaces the table without waiting for pending requests."""
        devices.run("dmsetup", "suspend", "--noflush", "--nolockfs", "--noudevsync", NAME)
        devices.run("dmsetup", "load", NAME, "--table", self.table(target, arguments))
        devices.run("dmsetup", "resume", "--noudevsync", NAME)

    def work(self):
        """Lets it work again."""
        self.become("linear", "/dev/ram0 0")

    def refuse_writes(self):
        """Lets writes fail with EIO."""
        self.become("flakey", "/dev/ram0 0 0 3600 1 error_writes")

    def lose_writes(self):
        """Lets writes seem to succeed and be lost, as before a power cut."""
        self.become("flakey", "/dev/ram0 0 0 3600 1 drop_writes")

    def refuse_everything(self):
        """Lets reads fail with EIO too, even of cached data."""
        self.become("error")
        forget_cached()

    def delay_writes(self, milliseconds):
        """Delays writes by this many milliseconds."""
        self.become("delay", f"/dev/ram0 0 0 /dev/ram0 0 {milliseconds}")


def forget_cached():
    """Drops caches, so that later reads come from the disks."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def read_only():
    """Makes every file system read-only, even with files open for writing, as a file system does by itself after an error."""
    with open("/proc/sysrq-trigger", "w", encoding="ascii") as file:
        file.write("u")


class PulledDisk(Disk):
    """A disk that can be pulled and put back like a USB disk."""

    def __init__(self, lab, kind, megabytes=64):
        super().__init__(lab, kind)
        self.megabytes = megabytes

    def plug_in(self):
        devices.load("sd_mod")
        devices.load("scsi_debug", dev_size_mb=self.megabytes, delay=0)
        self.find()

    def find(self):
        """Its device, which has another name each time."""
        pattern = "/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/sd*"
        (found, *_), _ = wait_for(lambda: glob.glob(pattern), 10, "the kernel finds no disk")
        self.device = f"/dev/{os.path.basename(found)}"
        wait_for(lambda: os.path.exists(self.device), 10, f"{self.device} does not appear")

    def pull(self):
        """Removes the disk, even if it is in use."""
        with open(f"/sys/block/{os.path.basename(self.device)}/device/delete", "w", encoding="ascii") as file:
            file.write("1")

    def put_back(self):
        """Plugs it in again, and mounts it where it was."""
        (host, *_) = glob.glob("/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*")
        with open(f"/sys/class/scsi_host/{os.path.basename(host)}/scan", "w", encoding="ascii") as file:
            file.write("- - -")
        self.find()
        self.unmount(lazily=True)
        self.mount()
