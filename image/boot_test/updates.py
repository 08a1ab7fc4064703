"""Updates on a card that is in use: one that is whole is kept, broken ones are left again. The test plays the Raspberry Pi's first stages: it starts what
tryboot.txt names when the kernel restarts with `0 tryboot`, and what config.txt names at every other start."""

import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

from machine import BootFiles, Failure, Machine
from site_client import Site

_START_SECONDS = 420
_TRIAL = rb"Restarting system with command '0 tryboot'"


def changed(update: Path, into: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Another update, whose sums are right: as a build would make it that is broken itself."""
    with tarfile.open(update) as old, tarfile.open(into, "w") as new:
        files = [(member.name, change(member.name, old.extractfile(member).read())) for member in old if member.isfile() and member.name != "SHA256SUMS"]
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files)
        for name, data in [("SHA256SUMS", sums.encode()), *files]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            new.addfile(member, io.BytesIO(data))
    return into


def _without_system(name: str, data: bytes) -> bytes:
    return b"\0" * 4_000_000 if name == "system.img" else data


def _without_perchd(name: str, data: bytes) -> bytes:
    return data.replace(b" quiet", b" quiet systemd.mask=perchd.service") if name == "boot/cmdline.txt" else data


class Updates:
    """One card, update after update."""

    def __init__(self, card: Path, folder: Path) -> None:
        self.card, self.folder = card, folder

    def _boot(self, config: str = "config.txt") -> BootFiles:
        return BootFiles(self.card, self.folder, config)

    def _is_up(self, machine: Machine) -> str:
        """Waits for perchd, and gives the partition that the system is on."""
        machine.wait_for_unit("perchd", _START_SECONDS)
        site = Site(machine)
        site.wait_for("/api/v1/settings", 60)
        site.log_in()
        return re.search(r"root=PARTUUID=\w+-0(\d)", machine.run("cat /proc/cmdline"))[1]

    def install(self, update: Path) -> str:
        """Installs, until the board restarts for its trial. Gives the slot that it was on."""
        boot = self._boot()
        with Machine(self.card, boot, self.folder, "install", extra=update) as machine:
            self._is_up(machine)
            said = machine.run("/usr/lib/perch/update install /dev/vdb", 300)
            if "installed" not in said:
                raise Failure(said)
            machine.serial.wait_for(_TRIAL, 120)
            machine.wait_for_off(60)
        return boot.slot

    def keeps(self, update: Path) -> str:
        before = self.install(update)
        trial = self._boot("tryboot.txt")
        if trial.slot == before:
            raise Failure("the trial is of the system that ran already")
        with Machine(self.card, trial, self.folder, "trial") as machine:
            partition = self._is_up(machine)
            machine.run("while systemctl --quiet is-active perch-try; do sleep 1; done", 60)
            failed = machine.run("systemctl --failed --no-legend --plain").strip()
            if failed:
                raise Failure(failed)
        # The power went right after it was kept.
        if self._boot().slot != trial.slot:
            raise Failure("it was not kept")
        with Machine(self.card, self._boot(), self.folder, "kept") as machine:
            if self._is_up(machine) != partition:
                raise Failure("the next start was of the old system")
        return f"{before} to {trial.slot}, kept, with the power cut right after; the owner logged in on partition {partition}"

    def leaves(self, update: Path) -> str:
        before = self.install(update)
        with Machine(self.card, self._boot("tryboot.txt"), self.folder, "trial") as machine:
            machine.wait_for_off(900)
            seconds = machine.age()
        after = self._boot()
        if after.slot != before:
            raise Failure(f"started from {after.slot}, not from {before}")
        with Machine(self.card, after, self.folder, "back") as machine:
            self._is_up(machine)
            failed = machine.run("systemctl --failed --no-legend --plain").strip()
            if failed:
                raise Failure(failed)
            machine.run("while systemctl --quiet is-active perch-try; do sleep 1; done; ! test -e /boot/firmware/tryboot.txt", 60)
        return f"restarted by itself after {seconds:.0f} s, back on {before}, the owner logged in"


def try_updates(card: Path, update: Path, folder: Path, report) -> None:
    """All of it. `report` is run.py's."""
    updates = Updates(card, folder)
    report.attempt("a new system that is whole is kept", lambda: updates.keeps(update))
    report.attempt(
        "a new system whose perchd never starts is left again", lambda: updates.leaves(changed(update, folder / "no-perchd.update", _without_perchd))
    )
    report.attempt("a new system that cannot be mounted is left again", lambda: updates.leaves(changed(update, folder / "no-system.update", _without_system)))
