#!/usr/bin/env python3
"""Boots an image and uses it: `boot_test/run.py IMAGE [--update FILE] [--power-cuts N] [--table FILE]`.

Prints a line for each thing that was tried, and the memory and times that were seen; exit code 1 when one was not as it should be. Needs
qemu-system-aarch64, mtools and ffprobe. Everything is emulated in software: a minute here is some seconds on a board.
"""

import argparse
import lzma
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from boot_files import try_boot_files
from machine import BootFiles, Failure, Machine, make_card
from site_client import PASSWORD, Site
from updates import try_updates

START_SECONDS = 420
"""Until all is up, on a busy machine."""
_MAIN_PID = "systemctl show --property MainPID --value perchd"


class Report:
    """Counts what was tried."""

    def __init__(self) -> None:
        self.passed = self.failed = 0
        self.lines: list[str] = []

    def attempt(self, name: str, what: Callable[[], str]) -> bool:
        """Tries one thing; its words are printed."""
        began = time.monotonic()
        try:
            said, mark = what(), "ok  "
            self.passed += 1
        except Exception as error:
            if not isinstance(error, Failure):
                traceback.print_exc()
            said, mark = f"{type(error).__name__}: {error}", "FAIL"
            self.failed += 1
        self.lines.append(f"{mark} {name} ({time.monotonic() - began:.0f} s) {said}")
        print(self.lines[-1], flush=True)
        return mark == "ok  "


def wait_until_up(machine: Machine) -> None:
    """Until perchd has told systemd that it is ready, and the site answers."""
    machine.wait_for_unit("perchd", START_SECONDS)
    Site(machine).wait_for("/api/v1/settings", 60)


class FirstBoot:
    """All that is tried on one board, from its first start on."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.site = Site(machine)
        self.stream = ""

    def becomes_ready(self) -> str:
        wait_until_up(self.machine)
        ready = int(self.machine.run("systemctl show --property ActiveEnterTimestampMonotonic --value perchd"))
        return f"perchd was READY {ready / 1e6:.1f} s after the kernel's start ({self.machine.age():.0f} s after power on; emulated)"

    def sets_up(self) -> str:
        code = self.machine.serial.wait_for(rb"code to set it up: ([A-Z0-9-]+)", 120)[1].decode()
        self.site.must("POST", "/api/v1/setup", {"setup_code": code, "username": "ann", "password": PASSWORD})
        self.site.log_in()
        me = self.site.must("GET", "/api/v1/me")
        if me["role"] != "owner":
            raise Failure(f"ann is {me['role']}")
        return "with the code that the screen shows; logged in as the owner, asked as perch.local on port 80"

    def plays(self) -> str:
        camera = self.site.must("GET", "/api/v1/cameras")["items"][0]["name"]
        wanted = {"title": "Out of the image", "camera": camera, "width": 320, "height": 180, "fps": 10, "bitrate_kbps": 300}
        self.stream = self.site.must("POST", "/api/v1/streams", wanted)["id"]
        self.site.wait_for(f"/api/v1/streams/{self.stream}", 120, lambda stream: stream["state"] == "live")
        found = self.site.frames(self.stream, 120)
        if (found["codec_name"], found["width"], found["height"]) != ("h264", 320, 180) or int(found["nb_read_frames"]) < 10:
            raise Failure(str(found))
        return f"ffprobe decoded {found['nb_read_frames']} pictures of 320x180"

    def hangs_and_is_restarted(self) -> str:
        before = self.machine.run(_MAIN_PID).strip()
        self.machine.run(f"kill -STOP {before}")
        began = time.monotonic()
        self.machine.run(f'while p=$({_MAIN_PID}); [ "$p" = {before} ] || [ "$p" = 0 ]; do sleep 1; done', 240)
        wait_until_up(self.machine)
        self.site.log_in()
        return f"SIGSTOP: another perchd was up after {time.monotonic() - began:.0f} s"

    def nothing_failed(self) -> str:
        failed = self.machine.run("systemctl --failed --no-legend --plain").strip()
        if failed:
            raise Failure(failed)
        running = self.machine.run("systemctl list-units --type=service --state=running --no-legend --plain").split("\n")
        return "running: " + ", ".join(sorted(line.split()[0].removesuffix(".service") for line in running if line.strip()))

    def cannot_be_written_to(self) -> str:
        for path in ("/new", "/usr/bin/new", "/etc/new"):
            said, code = self.machine.try_to(f"touch {path}")
            if code == 0 or "Read-only" not in said:
                raise Failure(f"touch {path}: {code} {said}")
        return self.machine.run("findmnt --noheadings --output SOURCE,FSTYPE,OPTIONS /").strip()

    def has_the_whole_card(self) -> str:
        megabytes = int(self.machine.run("findmnt --noheadings --bytes --output SIZE /state")) // 1_000_000
        if megabytes < 1500:
            raise Failure(f"the state has {megabytes} MB")
        return f"the state has {megabytes} MB"

    def has_no_open_door(self) -> str:
        if "root L" not in self.machine.run("passwd --status root") or self.machine.run("cut -d: -f2 /etc/shadow | grep -c '^\\$' || true").strip() != "0":
            raise Failure("somebody has a password")
        listening = self.machine.run("cat /proc/net/tcp /proc/net/tcp6")
        ports = {int(port, 16) for port in re.findall(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A", listening, re.MULTILINE)}
        local = {53, 5355}
        if not ports - local <= {80, 8080}:
            raise Failure(f"ports {sorted(ports)}")
        return f"no password; TCP ports {sorted(ports)}"

    def memory(self) -> str:
        info = dict(re.findall(r"^(\w+): +(\d+) kB", self.machine.run("cat /proc/meminfo"), re.MULTILINE))
        used = (int(info["MemTotal"]) - int(info["MemAvailable"])) // 1024
        unit = int(self.machine.run("systemctl show --property MemoryCurrent --value perchd")) // 1_000_000
        return f"the whole system uses {used} MiB of {int(info['MemTotal']) // 1024}; perchd's unit {unit} MB"

    def switches_off(self) -> str:
        self.machine.try_to("systemctl --no-block poweroff")
        began = time.monotonic()
        self.machine.wait_for_off(120)
        return f"off after {time.monotonic() - began:.0f} s"


def first_boot(image: Path, folder: Path, report: Report) -> Path:
    """A new card, from its first start to its being switched off. Gives the card."""
    card = folder / "card.qcow2"
    make_card(image, card)
    with Machine(card, BootFiles(card, folder), folder, "first") as machine:
        board = FirstBoot(machine)
        if report.attempt("becomes ready", board.becomes_ready):
            report.attempt("memory", board.memory)
            report.attempt("set-up and login", board.sets_up)
            report.attempt("the test pattern plays", board.plays)
            report.attempt("a daemon that hangs is restarted", board.hangs_and_is_restarted)
            report.attempt("nothing has failed", board.nothing_failed)
            report.attempt("the system is read-only", board.cannot_be_written_to)
            report.attempt("the state has the whole card", board.has_the_whole_card)
            report.attempt("no door is open", board.has_no_open_door)
            report.attempt("switches off", board.switches_off)
    return card


def power_cut(card: Path, folder: Path, number: int, after: float, has_owner: bool) -> str:
    """Switches on, cuts the power after so many seconds, and looks whether it comes up again, with all that was in its store."""
    with Machine(card, BootFiles(card, folder), folder, f"cut{number}") as machine:
        time.sleep(after)
    with Machine(card, BootFiles(card, folder), folder, f"after{number}") as machine:
        wait_until_up(machine)
        failed = machine.run("systemctl --failed --no-legend --plain").strip()
        if failed:
            raise Failure(failed)
        site = Site(machine)
        if has_owner:
            site.log_in()
        elif not site.must("GET", "/api/v1/settings")["needs_setup"]:
            raise Failure("it is set up, and nobody did")
        seconds = machine.age()
    return f"cut {after:.0f} s after power on; up again in {seconds:.0f} s, {'the owner logged in' if has_owner else 'to be set up'}"


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("image", type=Path)
    parser.add_argument("--update", type=Path, help="the image's own update: installed, whole and broken")
    parser.add_argument("--power-cuts", type=int, default=2)
    parser.add_argument("--table", type=Path, help="file for what came of the power cuts")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the moments at which the power is cut")
    parser.add_argument("--keep", type=Path, help="folder for consoles and cards")
    arguments = parser.parse_args()
    for tool in ("qemu-system-aarch64", "qemu-img", "mcopy", "ffprobe", "ssh"):
        if not shutil.which(tool):
            raise SystemExit(f"boot test: {tool} is missing")
    report = Report()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="perch-boot-") as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        image = unpacked(arguments.image, folder)
        card = first_boot(image, folder, report)
        try_boot_files(image, folder, report)
        if arguments.update:
            try_updates(card, arguments.update, folder, report)
        print(f"power cuts with seed {arguments.seed}", flush=True)
        fresh = folder / "fresh.qcow2"
        for number in range(arguments.power_cuts):
            # Every other one in the middle of a first boot.
            is_first = number % 2 == 0
            if is_first:
                fresh.unlink(missing_ok=True)
                make_card(image, fresh)
            after = chance.uniform(3, 90)
            report.attempt(
                f"power cut {number + 1}{' in the first boot' if is_first else ''}",
                lambda: power_cut(fresh if is_first else card, folder, number, after, not is_first),  # noqa: B023 -- called at once
            )
    if arguments.table:
        arguments.table.write_text(
            f"{image.name}, seed {arguments.seed}. The times are those of an emulated board.\n" + "".join(f"{line}\n" for line in report.lines if "power cut" in line)
        )
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


def unpacked(image: Path, folder: Path) -> Path:
    """The image without its compression."""
    if image.suffix != ".xz":
        return image
    plain = folder / image.stem
    with lzma.open(image) as packed, plain.open("wb") as file:
        shutil.copyfileobj(packed, file, 1 << 20)
    return plain


if __name__ == "__main__":
    sys.exit(main())
