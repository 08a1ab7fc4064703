#!/usr/bin/env python3
"""Cuts a board's power at random moments, and checks that it comes up each time with everything in its store:
`boot_test/power_cuts.py IMAGE UPDATE [--cuts N] [--table FILE] [--seed N] [--keep FOLDER]`.

In turn during a first start, a stream on the air, the installation of an update, its trial, and a later start. Data that QEMU has written by then stays, data that the
board had not synced may be lost, as on an honest card. Cards that lie about syncs are not simulated.
"""

import contextlib
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from first_boot import FirstBoot
from machine import EXTRA, BootFiles, Failure, Machine, make_card
from report import Report
from site_client import Site
from updates import install
from workplace import arguments_of, workplace


class Campaign:
    """A board in use, which is on between two cuts; and new cards. Use it as a context manager: it is off afterwards."""

    def __init__(self, image: Path, update: Path, folder: Path, chance: random.Random) -> None:
        self.image, self.update, self.folder, self.chance = image, update, folder, chance
        self.card = folder / "card.qcow2"
        self.start_seconds = self.install_seconds = 0.0
        self.streams: list[str] = []
        self.machine: Machine | None = None
        self._on = contextlib.ExitStack()

    def __enter__(self) -> "Campaign":
        return self

    def __exit__(self, *_: object) -> None:
        self.power_goes()

    def power_goes(self) -> None:
        """Switches the board off, whether or not it is on."""
        self._on.close()
        self.machine = None

    def is_switched_on(self, config: str = "config.txt") -> Machine:
        """Starts the board in use as after any loss of power: the system that config.txt names."""
        boot = BootFiles(self.card, self.folder, config)
        self.machine = self._on.enter_context(Machine(self.card, boot, self.folder, "board", self.update))
        return self.machine

    def sets_up(self) -> str:
        """Creates an owner, and measures how long a start and an installation take here."""
        make_card(self.image, self.card)
        machine = self.is_switched_on()
        board = FirstBoot(machine)
        said = board.becomes_ready()
        self.start_seconds = machine.age()
        board.sets_up()
        began = time.monotonic()
        machine.run(f"tar --extract --to-stdout --file {EXTRA} system.img | dd of=/dev/disk/by-partuuid/50455243-03 bs=1M iflag=fullblock conv=fsync", 600)
        self.install_seconds = 3 * (time.monotonic() - began)
        return said

    def is_whole(self) -> str:
        """Checks that everything from before is still there."""
        machine = self.is_switched_on()
        site = Site(machine)
        site.comes_up()
        seconds = machine.age()
        site.log_in()
        if site.must("GET", "/api/v1/me")["role"] != "owner":
            raise Failure("ann is not the owner")
        states = [site.wait_for(f"/api/v1/streams/{stream}", 120, lambda found: found["state"] in ("live", "ended"))["state"] for stream in self.streams]
        machine.has_no_failed_unit()
        if not machine.run("findmnt --noheadings --output OPTIONS /state").startswith("rw"):
            raise Failure("the state cannot be written to")
        machine.run("! journalctl --dmesg --no-pager | grep -E 'EXT4-fs.*(error|warning)|erofs.*(error|failed)|I/O error'")
        return f"up again after {seconds:.0f} s; the owner and {len(states)} streams are there{', one of them live again' if 'live' in states else ''}"

    def first_start(self) -> str:
        card = self.folder / "fresh.qcow2"
        card.unlink(missing_ok=True)
        make_card(self.image, card)
        after = self.chance.uniform(3, self.start_seconds + 10)
        with Machine(card, BootFiles(card, self.folder), self.folder, "fresh"):
            time.sleep(after)
        with Machine(card, BootFiles(card, self.folder), self.folder, "fresh") as machine:
            board = FirstBoot(machine)
            board.becomes_ready()
            seconds = machine.age()
            board.has_the_whole_card()
            machine.has_no_failed_unit()
            # It may have shown the code, but nobody has entered it.
            board.sets_up()
        return f"after {after:.0f} s; up again after {seconds:.0f} s, with the whole card, and set up"

    def later_start(self) -> str:
        self.power_goes()
        after = self.chance.uniform(3, self.start_seconds + 10)
        self.is_switched_on()
        time.sleep(after)
        return f"after {after:.0f} s"

    def on_the_air(self) -> str:
        after = self.chance.uniform(0, 30)
        board = FirstBoot(self.machine)
        board.site.log_in()
        # The stream from the last time may have resumed by itself.
        if not any(board.site.must("GET", f"/api/v1/streams/{stream}")["state"] == "live" for stream in self.streams):
            board.plays()
            self.streams.append(board.stream)
        time.sleep(after)
        return f"after {after:.0f} s on the air"

    def installation(self) -> str:
        after = self.chance.uniform(1, self.install_seconds)
        self.machine.run(f"setsid /usr/lib/perch/update install {EXTRA} >/run/update.log 2>&1 &")
        time.sleep(after)
        went = "was over" if self.machine.process.poll() is not None else "went on"
        return f"after {after:.0f} s, when the installation {went}"

    def trial(self) -> str:
        install(self.machine)
        self.power_goes()
        old = BootFiles(self.card, self.folder).slot
        after = self.chance.uniform(3, self.start_seconds + 10)
        self.is_switched_on("tryboot.txt")
        time.sleep(after)
        self.power_goes()
        was_kept = BootFiles(self.card, self.folder).slot != old
        return f"after {after:.0f} s of a new system's trial, which {'was kept by then' if was_kept else 'had not come to its end'}"

    def cut(self, way: Callable[[], str]) -> str:
        """Makes one cut; returns the result."""
        if way == self.first_start:
            # A new board needs the cable for itself.
            self.power_goes()
            return way()
        try:
            if self.machine is None:
                self.is_whole()
            said = way()
            self.power_goes()
            return f"{said}; {self.is_whole()}"
        except BaseException:
            # The next one begins with a start.
            self.power_goes()
            raise


def main() -> int:
    """Runs the cuts given on the command line."""
    parser = arguments_of("Cuts a board's power at random, and looks whether it comes up.")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--table", type=Path, help="file for what came of them")
    arguments = parser.parse_args()
    report = Report()
    chance = random.Random(arguments.seed)
    with workplace(arguments) as (folder, image), Campaign(image, arguments.update, folder, chance) as campaign:
        print(f"the power goes by seed {arguments.seed}", flush=True)
        if report.attempt("set-up", campaign.sets_up):
            ways = [campaign.first_start, campaign.on_the_air, campaign.installation, campaign.trial, campaign.later_start]
            for number in range(1, arguments.cuts + 1):
                way = ways[(number - 1) % len(ways)]
                name = f"power cut {number} ({way.__name__.replace('_', ' ')})"
                report.attempt(name, lambda: campaign.cut(way))  # noqa: B023 -- called at once
                if arguments.table:
                    head = f"{number} of {arguments.cuts} power cuts, seed {arguments.seed}. The times are those of an emulated board on a busy computer.\n\n"
                    arguments.table.write_text(head + "".join(f"{line}\n" for line in report.lines))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
