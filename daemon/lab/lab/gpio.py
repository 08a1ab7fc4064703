"""Simulated GPIO lines (gpio-sim): chips, a button to press, a lamp to watch."""

import glob
import os
import time

from . import devices
from .failure import Failure, require, wait_for

CONFIG = "/sys/kernel/config/gpio-sim"
# Seconds between two changes of a contact that bounces at 10 kHz.
BOUNCE = 50e-6


class Chip:
    """A simulated chip, which can be added and removed."""

    def __init__(self, label, lines=28):
        devices.load("configfs")
        devices.load("gpio-sim")
        if not os.path.ismount("/sys/kernel/config"):
            devices.run("mount", "-t", "configfs", "none", "/sys/kernel/config")
        self.label = label
        self.folder = f"{CONFIG}/{label}"
        os.makedirs(f"{self.folder}/bank0")
        self.write(f"{self.folder}/bank0/num_lines", lines)
        self.write(f"{self.folder}/bank0/label", label)
        self.lines = None
        self.name = None

    @staticmethod
    def write(path, value):
        """Writes a value into a file of the kernel."""
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))

    @staticmethod
    def read(path):
        """Reads a file of the kernel."""
        with open(path, encoding="ascii") as file:
            return file.read().strip()

    def plug_in(self):
        """Adds the chip, and waits for udev."""
        self.write(f"{self.folder}/live", 1)
        self.name = self.read(f"{self.folder}/bank0/chip_name")
        self.lines = f"/sys/devices/platform/{self.read(f'{self.folder}/dev_name')}/{self.name}"
        devices.run("udevadm", "settle", "--timeout=10", check=False)
        return self

    def unplug(self):
        """Removes the chip, even if it is in use."""
        self.write(f"{self.folder}/live", 0)

    def is_high(self, line):
        """The level of a line."""
        return self.read(f"{self.lines}/sim_gpio{line}/value") == "1"


def remove_all():
    """Removes chips that the previous scenario may have left."""
    for chip in glob.glob(f"{CONFIG}/*/live"):
        folder = os.path.dirname(chip)
        Chip.write(chip, 0)
        for bank in glob.glob(f"{folder}/bank*/"):
            os.rmdir(bank)
        os.rmdir(folder)


class Button:
    """A contact between a line and ground; the chip pulls the line up."""

    def __init__(self, chip, line, seen=lambda high: None):
        self.line = line
        self.file = os.open(f"{chip.lines}/sim_gpio{line}/pull", os.O_WRONLY)
        self.seen = seen
        self.fastest = 0

    def turn(self, closed):
        """Closes or opens the contact."""
        self.seen(not closed)
        os.pwrite(self.file, b"pull-down" if closed else b"pull-up", 0)

    def bounce(self, closed, changes=41):
        """Changes the contact repeatedly at 10 kHz, the last time to `closed`; records the frequency achieved."""
        began = time.monotonic()
        for change in range(changes):
            self.turn(closed == (change % 2 == 0))
            while time.monotonic() < began + (change + 1) * BOUNCE:
                pass
        self.fastest = max(self.fastest, (changes - 1) / 2 / (time.monotonic() - began))

    def press(self, seconds=0.3):
        """Presses and releases the button; the contact bounces both times."""
        self.bounce(True)
        time.sleep(seconds)
        self.bounce(False)


def changes(is_lit, seconds):
    """Watches a lamp: [(seconds in this state, whether it was lit), …]; the first and last are incomplete."""
    began = last = time.monotonic()
    lit, seen = is_lit(), []
    while (now := time.monotonic()) < began + seconds:
        if is_lit() != lit:
            seen.append((round(now - last, 3), lit))
            lit, last = not lit, now
        time.sleep(0.005)
    seen.append((round(time.monotonic() - last, 3), lit))
    return seen


def shows(is_lit, pattern, seconds=4.5):
    """Fails unless the lamp shows the pattern for this time: "on", "off", "slow", "fast", "double" or "double-dark"."""
    steady = {"on": True, "off": False}
    seen = changes(is_lit, seconds)
    words = f"the lamp does not show {pattern}: {seen}"
    if pattern in steady:
        require(len(seen) == 1 and seen[0][1] == steady[pattern], words)
        return
    whole = seen[1:-1]
    require(len(whole) >= 2, words)
    lengths = {"slow": {1: [1.0], 0: [1.0]}, "fast": {1: [0.1], 0: [0.1]},
               "double": {1: [0.1], 0: [0.15, 1.65]}, "double-dark": {0: [0.1], 1: [0.15, 1.65]}}[pattern]
    for length, lit in whole:
        require(any(abs(length - right) <= 0.04 + right * 0.05 for right in lengths[lit]), words)
    for right in set(lengths[0] + lengths[1]):
        require(any(abs(length - right) <= 0.04 + right * 0.05 for length, _ in whole), words)


def soon_shows(is_lit, pattern, seconds=10):
    """Waits until the lamp shows the pattern."""
    def look():
        try:
            shows(is_lit, pattern, 4.5)
            return True
        except Failure as failure:
            look.words = str(failure)
            return False

    wait_for(look, seconds, lambda: look.words)
