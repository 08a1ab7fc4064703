"""A foot pedal as the button (evdev): its key starts and stops a stream, also after it was unplugged and replugged; other keys do nothing."""

import contextlib
import fcntl
import os
import struct
import time

from lab import devices
from lab.daemon import Perchd
from lab.failure import require, wait_for

KEY_A, KEY_B = 30, 48
# linux/uinput.h, linux/input-event-codes.h
UI_SET_EVBIT, UI_SET_KEYBIT, UI_DEV_SETUP, UI_DEV_CREATE, UI_DEV_DESTROY = 0x40045564, 0x40045565, 0x405C5503, 0x5501, 0x5502
EV_SYN, EV_KEY = 0, 1
LINK = "/dev/input/pedal"


class Pedal:
    """A pedal with two keys, made by uinput, with a by-id link as udev makes for real ones."""

    def __init__(self):
        self.file = os.open("/dev/uinput", os.O_WRONLY)
        fcntl.ioctl(self.file, UI_SET_EVBIT, EV_KEY)
        for key in (KEY_A, KEY_B):
            fcntl.ioctl(self.file, UI_SET_KEYBIT, key)
        fcntl.ioctl(self.file, UI_DEV_SETUP, struct.pack("4H80sI", 3, 0x0C45, 0x7403, 1, b"Lab FootSwitch", 0))
        fcntl.ioctl(self.file, UI_DEV_CREATE)
        devices.run("udevadm", "settle", "--timeout=10", check=False)
        node = wait_for(self.node, 10, "the pedal has no node")[0]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(LINK)
        os.symlink(node, LINK)

    @staticmethod
    def node():
        """Its event device."""
        with open("/proc/bus/input/devices", encoding="ascii") as file:
            for block in file.read().split("\n\n"):
                if "Lab FootSwitch" in block:
                    return next(f"/dev/input/{word}" for word in block.split() if word.startswith("event"))
        return None

    def event(self, kind, code, value):
        """Sends one event in the kernel's format."""
        os.write(self.file, struct.pack("llHHi", 0, 0, kind, code, value))

    def press(self, key, seconds=0.3):
        """Presses a key, which repeats while it is held."""
        for value in (1, 2, 2):
            self.event(EV_KEY, key, value)
            self.event(EV_SYN, 0, 0)
            time.sleep(seconds / 3)
        self.event(EV_KEY, key, 0)
        self.event(EV_SYN, 0, 0)

    def unplug(self):
        """Unplugs the pedal."""
        fcntl.ioctl(self.file, UI_DEV_DESTROY)
        os.close(self.file)


def guest(lab):
    devices.load("uinput")
    environment = {"PERCH_LIVE_AUTOSTART": "false", "PERCH_BUTTON_SOURCE": "key", "PERCH_BUTTON_INPUT": LINK}
    with Perchd(lab, environment, source="test-pattern") as perchd:
        def state():
            return perchd.camera().get("state")

        def warnings():
            return perchd.get("/api/v1/system")[1].decode()

        wait_for(lambda: f"{LINK} is not there" in warnings(), 20, lambda: f"the missing pedal is not said: {warnings()}")
        pedal = Pedal()
        wait_for(lambda: "The button" not in warnings(), 10, lambda: f"the pedal is there: {warnings()}")
        pedal.press(KEY_A)
        time.sleep(1)
        require(state() == "stopped", "another key starts a stream")
        pedal.press(KEY_B)
        took = perchd.wait_live(40)
        pedal.press(KEY_B)
        wait_for(lambda: state() == "stopped", 20, lambda: f"it does not end: {perchd.say()}")
        pedal.unplug()
        wait_for(lambda: "The button does not work" in warnings(), 20, lambda: f"not said: {warnings()}")
        pedal = Pedal()
        wait_for(lambda: "The button" not in warnings(), 10, lambda: f"the pedal is back: {warnings()}")
        pedal.press(KEY_B)
        wait_for(lambda: state() == "live", 40, lambda: f"nothing starts: {perchd.say()}")
        pedal.unplug()
    return f"live {took:.1f} s after the pedal was pressed"
