"""The header of a Raspberry Pi (rppal): gpio-sim under the name of its chip, a file in place of its registers and a device tree that
names a Raspberry Pi 4; presses that bounce start and end a stream, and the lamp is switched by the registers."""

import mmap
import os

from lab import devices, gpio
from lab.daemon import Perchd
from lab.failure import require, wait_for

SECONDS = 240
BUTTON, LAMP = 3, 17
REGISTERS = "/dev/gpiomem"
# Of a BCM2711 (its data sheet, chapter 5): functions, set, clear, level, pulls.
GPFSEL0, GPSET0, GPCLR0, GPLEV0, PULL0 = 0x00, 0x1C, 0x28, 0x34, 0xE4
INPUT, OUTPUT, PULLED_UP = 0b000, 0b001, 0b01


class Registers:
    """The file that rppal takes for the chip's registers, and what a chip would do when they are written."""

    def __init__(self):
        with open(REGISTERS, "wb") as file:
            file.truncate(mmap.PAGESIZE)
        with open(REGISTERS, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.lamp = None

    def word(self, offset):
        """One register."""
        return int.from_bytes(self.memory[offset:offset + 4], "little")

    def put(self, offset, value):
        """The same, written."""
        self.memory[offset:offset + 4] = value.to_bytes(4, "little")

    def level(self, high):
        """The button's level, as the chip would show it."""
        self.put(GPLEV0, (high << BUTTON))

    def function(self, line):
        """What the line is set up as."""
        return self.word(GPFSEL0 + line // 10 * 4) >> line % 10 * 3 & 0b111

    def lit(self):
        """Whether the lamp is lit, by what was last written to set and clear. They are looked at often enough to see each."""
        for offset, lit in ((GPSET0, True), (GPCLR0, False)):
            if self.word(offset) >> LAMP & 1:
                self.put(offset, 0)
                self.lamp = lit
        return self.lamp


def guest(lab):
    chip = gpio.Chip("pinctrl-bcm2711", lines=58).plug_in()
    require(chip.name == "gpiochip0", f"the chip is {chip.name}: rppal looks for them one by one from 0")
    registers = Registers()
    button = gpio.Button(chip, BUTTON, registers.level)
    button.turn(False)
    environment = {
        "PERCH_LIVE_AUTOSTART": "false", "PERCH_BUTTON_SOURCE": "gpio", "PERCH_LAMP_ENABLED": "true",
        "PERCH_BUTTON_LINE": str(BUTTON), "PERCH_LAMP_LINE": str(LAMP),
    }
    perchd = Perchd(lab, environment, source="test-pattern")
    board = (
        "mount -t tmpfs none /sys/firmware && mkdir -p /sys/firmware/devicetree/base && "
        "printf 'raspberrypi,4-model-b\\0brcm,bcm2711\\0' >/sys/firmware/devicetree/base/compatible && exec \"$@\""
    )
    in_disguise = ["unshare", "--mount", "--propagation", "private", "sh", "-c", board, "sh"]
    probed = devices.run(*in_disguise, lab.perchd, "probe")
    require("the header is that of a Raspberry Pi 4 B" in probed, f"perchd probe does not know the board: {probed}")
    perchd.command = in_disguise + perchd.command
    try:
        with perchd:
            def log():
                with open(perchd.log, encoding="utf-8") as file:
                    return file.read()

            wait_for(lambda: "nothing is live" in log(), 20, lambda: perchd.last_words())
            wait_for(lambda: f"GPIO {BUTTON} of the Raspberry Pi 4 B" in log(), 10, lambda: f"not by rppal: {log()[-600:]}")
            gpio.soon_shows(registers.lit, "off")
            functions = [registers.function(line) for line in (BUTTON, LAMP)]
            require(functions == [INPUT, OUTPUT], f"functions of button and lamp: {functions}")
            pull = registers.word(PULL0) >> BUTTON * 2 & 0b11
            require(pull == PULLED_UP, f"the button's pull is {pull:02b}")

            button.press()
            took = perchd.wait_live(40)
            gpio.soon_shows(registers.lit, "on")
            button.press()
            wait_for(lambda: perchd.camera().get("state") == "stopped", 20, lambda: f"it does not end: {perchd.say()}")
            gpio.soon_shows(registers.lit, "off")
            button.press()
            wait_for(lambda: perchd.camera().get("state") == "live", 40, lambda: f"nothing starts: {perchd.say()}")
            gpio.soon_shows(registers.lit, "on")
            perchd.stop()
        require(registers.lit() is False, "the lamp is on after the end")
        require(registers.function(LAMP) == INPUT, "the lamp's line is driven after the end")
        require(button.fastest >= 9000, f"the button bounced at {button.fastest:.0f} Hz only")
    finally:
        os.unlink(REGISTERS)
    return f"live {took:.1f} s after a press that bounced at {button.fastest / 1000:.1f} kHz"
