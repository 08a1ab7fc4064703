"""The header of a Raspberry Pi 4 and of a 5 (rppal): gpio-sim with the name of its chip, a file in place of its registers and a device
tree that names the board; bouncing presses start and stop a stream, and the registers switch the lamp."""

import mmap
import os

from lab import devices, gpio
from lab.daemon import Perchd
from lab.failure import require, wait_for

SECONDS = 300
BUTTON, LAMP = 3, 17


class Registers:
    """The file that rppal uses as a chip's registers, and the chip's reaction to writes."""

    node, size = "/dev/gpiomem", mmap.PAGESIZE

    def __init__(self):
        with open(self.node, "wb") as file:
            file.truncate(self.size)
        with open(self.node, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), self.size)
        self.lamp = None

    def word(self, offset):
        """Reads a register."""
        return int.from_bytes(self.memory[offset:offset + 4], "little")

    def put(self, offset, value):
        """Writes a register."""
        self.memory[offset:offset + 4] = value.to_bytes(4, "little")

    def level(self, high):
        """Sets the button's level, as the chip would show it."""
        self.put(self.shown, high << BUTTON)

    def lit(self):
        """Whether the lamp is lit, from the last write to the set and clear registers. They are polled often enough to see each write."""
        for offset, lit in ((self.set, True), (self.clear, False)):
            if self.word(offset) >> LAMP & 1:
                self.put(offset, 0)
                self.lamp = lit
        return self.lamp


class Bcm2711(Registers):
    """Registers of the Raspberry Pi 4 (the chip's data sheet, chapter 5)."""

    board, compatible, label = "Raspberry Pi 4 B", "raspberrypi,4-model-b", "pinctrl-bcm2711"
    set, clear, shown = 0x1C, 0x28, 0x34

    def function(self, line):
        """The line's function."""
        return {0b000: "input", 0b001: "output"}.get(self.word(line // 10 * 4) >> line % 10 * 3 & 0b111, "other")

    def pulled_up(self):
        """Whether the button's line is set up."""
        return self.word(0xE4) >> BUTTON * 2 & 0b11 == 0b01


class Rp1(Registers):
    """Registers of the Raspberry Pi 5 (the chip's data sheet, chapter 3): three banks, with separate addresses for setting and clearing bits."""

    board, compatible, label = "Raspberry Pi 5", "raspberrypi,5-model-b", "pinctrl-rp1"
    node, size = "/dev/gpiomem0", 0x30000
    set, clear, shown = 0x12000, 0x13000, 0x10008
    drive, leave, unused = 0x12004, 0x13004, 31

    def __init__(self):
        super().__init__()
        for line in (BUTTON, LAMP):
            self.put(4 + line * 8, self.unused)

    def function(self, line):
        """The line's function."""
        if self.word(4 + line * 8) & 0b11111 != 5:
            return "input"  # no function is selected
        return "output" if self.word(self.drive) >> line & 1 and not self.word(self.leave) >> line & 1 else "input"

    def pulled_up(self):
        """Whether the button's line is set up."""
        return self.word(0x20004 + BUTTON * 4) >> 2 & 0b11 == 0b10


def guest(lab):
    return "; ".join(header(lab, board) for board in (Bcm2711, Rp1))


def header(lab, board):
    """Tests one board's header."""
    gpio.remove_all()
    chip = gpio.Chip(board.label, lines=54).plug_in()
    require(chip.name == "gpiochip0", f"the chip is {chip.name}: rppal looks for them one by one from 0")
    registers = board()
    button = gpio.Button(chip, BUTTON, registers.level)
    button.turn(False)
    environment = {
        "PERCH_LIVE_AUTOSTART": "false", "PERCH_BUTTON_SOURCE": "gpio", "PERCH_LAMP_ENABLED": "true",
        "PERCH_BUTTON_LINE": str(BUTTON), "PERCH_LAMP_LINE": str(LAMP),
    }
    perchd = Perchd(lab, environment, source="test-pattern")
    perchd.log = f"{lab.out}/perchd-{board.label}.log"
    disguise = (
        "mount -t tmpfs none /sys/firmware && mkdir -p /sys/firmware/devicetree/base && "
        f"printf '{board.compatible}\\0' >/sys/firmware/devicetree/base/compatible && exec \"$@\""
    )
    in_disguise = ["unshare", "--mount", "--propagation", "private", "sh", "-c", disguise, "sh"]
    perchd.command = in_disguise + perchd.command
    try:
        probed = devices.run(*in_disguise, lab.perchd, "probe")
        require(f"the header is that of a {board.board}" in probed, f"perchd probe does not know the board: {probed}")
        with perchd:
            def log():
                with open(perchd.log, encoding="utf-8") as file:
                    return file.read()

            wait_for(lambda: "nothing is live" in log(), 20, perchd.last_words)
            wait_for(lambda: f"GPIO {BUTTON} of the {board.board}" in log(), 10, lambda: f"not by rppal: {log()[-600:]}")
            gpio.soon_shows(registers.lit, "off")
            functions = [registers.function(line) for line in (BUTTON, LAMP)]
            require(functions == ["input", "output"], f"functions of button and lamp: {functions}")
            require(registers.pulled_up(), "the button's line is not pulled up")

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
        require(registers.function(LAMP) == "input", "the lamp's line is driven after the end")
        require(button.fastest >= 9000, f"the button bounced at {button.fastest:.0f} Hz only")
    finally:
        os.unlink(board.node)
    return f"{board.board}: live {took:.1f} s after a press that bounced at {button.fastest / 1000:.1f} kHz"
