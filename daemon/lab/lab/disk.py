"""Disks for recordings that can be filled, slowed, broken and pulled. Their bytes lie in the machine's memory."""

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
    """Where disks of the lab are mounted."""
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
        """Takes it out of the tree: as soon as nobody has a file open, or at once."""
        if lazily:
            devices.run("umount", "--lazy", self.path)
            return
        wait_for(
            lambda: subprocess.run(("umount", self.path), capture_output=True, check=False).returncode == 0, 10,
            lambda: f"{self.path} cannot be unmounted: somebody has a file of it open", 0.5,
        )

    def is_writable(self):
        """It can be written to again after `read_only`."""
        devices.run("mount", "-o", "remount,rw", self.path)

    def environment(self):
        """Makes perchd record on it, to its last byte."""
        return {
            "PERCH_LIVE_AUTOSTART": "false", "PERCH_RECORDING_FOLDER": self.folder, "PERCH_RECORDING_BUDGET": "100%",
            "PERCH_RECORDING_KEEP_FREE": "0 MB",
        }

    def files(self, extension="mp4"):
        """Files of recordings on it, in their order."""
        return sorted(glob.glob(f"{self.folder}/*.{extension}"))

    def fill(self):
        """Fills it to its last byte; returns the file that does."""
        path = f"{self.path}/filler"
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        return path


class FailingDisk(Disk):
    """A disk whose driver can be told to fail or to wait: a RAM disk below device-mapper."""

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
        """All of the disk with one target of device-mapper."""
        return f"0 {self.megabytes * 2048} {target} {arguments}".strip()

    def become(self, target, arguments=""):
        """From now on the disk behaves so. Requests on their way are not waited for."""
        devices.run("dmsetup", "suspend", "--noflush", "--nolockfs", "--noudevsync", NAME)
        devices.run("dmsetup", "load", NAME, "--table", self.table(target, arguments))
        devices.run("dmsetup", "resume", "--noudevsync", NAME)

    def work(self):
        """It works."""
        self.become("linear", "/dev/ram0 0")

    def refuse_writes(self):
        """Writes end with EIO."""
        self.become("flakey", "/dev/ram0 0 0 3600 1 error_writes")

    def lose_writes(self):
        """Writes seem to succeed and are lost, as those that a power cut comes before."""
        self.become("flakey", "/dev/ram0 0 0 3600 1 drop_writes")

    def refuse_everything(self):
        """Reads end with EIO, too, also of what was read before."""
        self.become("error")
        forget_cached()

    def delay_writes(self, milliseconds):
        """Writes take so long."""
        self.become("delay", f"/dev/ram0 0 0 /dev/ram0 0 {milliseconds}")


def forget_cached():
    """What is read from here on comes from the disks."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def read_only():
    """Every disk can only be read, files that are open for writing or not: what a file system does by itself after an error."""
    with open("/proc/sysrq-trigger", "w", encoding="ascii") as file:
        file.write("u")


class PulledDisk(Disk):
    """A disk that is pulled and put back, as a USB disk is."""

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
        """From now on there is no such disk, whoever uses it."""
        with open(f"/sys/block/{os.path.basename(self.device)}/device/delete", "w", encoding="ascii") as file:
            file.write("1")

    def put_back(self):
        """It is plugged in again, and mounted where it was."""
        (host, *_) = glob.glob("/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*")
        with open(f"/sys/class/scsi_host/{os.path.basename(host)}/scan", "w", encoding="ascii") as file:
            file.write("- - -")
        self.find()
        self.unmount(lazily=True)
        self.mount()
