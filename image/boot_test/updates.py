"""Updates of a card in use: a good one is kept, from broken ones the board returns to the old system. The test acts as the Raspberry Pi's boot loader: it starts
the system of tryboot.txt when the kernel restarts with `0 tryboot`, and that of config.txt at every other start."""

import hashlib
import io
import re
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import EXTRA, BootFiles, Failure, Machine
from report import Report
from site_client import Site

_KEY = Path(__file__).parent.parent / "update-key.sh"
_TRIAL = rb"Restarting system with command '0 tryboot'"
_PARTITIONS = {"a": "2", "b": "3"}
_TRY_SECONDS = 90
"""Time allowed for a new system whose perchd never starts; five minutes on a board."""


def pack(into: Path, files: list[tuple[str, bytes]], key: Path | None = None) -> Path:
    """An update of these files, packed as build.sh does, with its key or another."""
    key = key or Path(subprocess.run([_KEY], capture_output=True, text=True, check=True).stdout.strip())
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files).encode()
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "perch-update"]
    signature = subprocess.run(sign, input=sums, capture_output=True, check=True).stdout
    with tarfile.open(into, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in [("SHA256SUMS", sums), ("SHA256SUMS.sig", signature), *files]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return into


def changed(update: Path, into: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A broken update with correct sums and signature, as from a faulty build."""
    with tarfile.open(update) as old:
        names = [member.name for member in old if member.isfile() and not member.name.startswith("SHA256SUMS")]
        return pack(into, [(name, change(name, old.extractfile(name).read())) for name in names])


def _without_system(name: str, data: bytes) -> bytes:
    return b"\0" * 4_000_000 if name == "system.img" else data


def _without_perchd(name: str, data: bytes) -> bytes:
    return data.replace(b" quiet", b" quiet systemd.setenv=PERCH_LIVE_AUTOSTART=nonsense") if name == "boot/cmdline.txt" else data


def install(machine: Machine) -> str:
    """Installs the update on the board's second disk; returns when the board restarts for the trial."""
    said = machine.run(f"/usr/lib/perch/update install {EXTRA}", 300)
    if "installed" not in said:
        raise Failure(said)
    return _restarts(machine, 120)


def _restarts(machine: Machine, seconds: float) -> str:
    machine.serial.wait_for(_TRIAL, seconds)
    machine.wait_for_off(60)
    return "until the restart for its trial"


def refuses_a_strangers(site: Site, folder: Path) -> str:
    """Uploads an update that is signed with an unknown key."""
    key = folder / "strangers-key"
    for old in (key, key.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    site.give_update(pack(folder / "strangers.update", [("flavour", b"debian\n"), ("system.img", b"theirs" * 1000)], key))
    found = site.wait_for("/api/v1/system/update", 60, lambda update: update["state"] == "refused")
    if "not from those who made this card" not in found["problem"]:
        raise Failure(str(found))
    return found["problem"]


def install_by_the_page(machine: Machine, site: Site, update: Path) -> str:
    """Uploads an update, as the owner does in the settings; returns when the board restarts for the trial."""
    began = time.monotonic()
    site.give_update(update)
    arrived = time.monotonic() - began
    try:
        said = _restarts(machine, 420)
    except Failure as failure:
        raise Failure(f"{failure}: {machine.why_not('perch-update')}") from None
    return f"{update.stat().st_size >> 20} MiB arrived in {arrived:.0f} s; {said}"


def runs_slot(machine: Machine, slot: str) -> Site:
    """Waits for perchd, and checks that the owner can log in and nothing has failed, on that slot's system."""
    site = Site(machine)
    site.comes_up()
    site.log_in()
    partition = re.search(r"root=PARTUUID=\w+-0(\d)", machine.run("cat /proc/cmdline"))[1]
    if partition != _PARTITIONS[slot]:
        raise Failure(f"it runs from partition {partition}, not from {slot}'s")
    machine.run("until systemctl --quiet is-active multi-user.target; do sleep 1; done; while systemctl --quiet is-active perch-try; do sleep 1; done", 60)
    machine.has_no_failed_unit()
    return site


class Trial:
    """A card that has just restarted for the trial of a new system."""

    def __init__(self, card: Path, folder: Path) -> None:
        self.card, self.folder = card, folder
        self.old, self.new = self.boots("config.txt").slot, self.boots("tryboot.txt").slot

    def boots(self, config: str) -> BootFiles:
        """Starts the system, as the boot loader would."""
        return BootFiles(self.card, self.folder, config)

    def is_kept(self) -> str:
        """The power fails right after the update was kept."""
        if self.old == self.new:
            raise Failure(f"the trial is of {self.old}, which ran already")
        with Machine(self.card, self.boots("tryboot.txt"), self.folder, "trial") as machine:
            site = runs_slot(machine, self.new)
            found = site.must("GET", "/api/v1/system/update")["state"]
            if found != "kept":
                raise Failure(f"the page says {found}")
        return f"from {self.old} to {self.new}; the owner logged in, and the power was cut"

    def ends_by_itself(self, *, has_system: bool) -> str:
        with Machine(self.card, self.boots("tryboot.txt"), self.folder, "trial", arguments=f"systemd.setenv=PERCH_TRY_SECONDS={_TRY_SECONDS}") as machine:
            if has_system:
                # A store that a newer perchd has migrated.
                machine.run("until [ -e /state/before-trial/?.redb ]; do sleep 1; done; echo of a newer Perch >/state/perch/perch.redb; sync", 300)
            machine.wait_for_off(600)
            return f"{self.new} restarted by itself after {machine.age():.0f} s"

    def is_back(self, machine: Machine) -> str:
        site = runs_slot(machine, self.old)
        machine.run("! test -e /boot/firmware/tryboot.txt")
        found = site.must("GET", "/api/v1/system/update")["state"]
        if found != "left":
            raise Failure(f"the page says {found}")
        return f"{self.old} runs, the owner logged in, and the page says what has been"


def switches_off(machine: Machine) -> str:
    """Switches the board off by a shell command, or by the button."""
    began = time.monotonic()
    machine.try_to("systemctl --no-block poweroff")
    machine.wait_for_off(120)
    return f"off after {time.monotonic() - began:.0f} s"


def try_updates(card: Path, whole: Path, folder: Path, cut_after: float, report: Report) -> None:
    """Runs all tests, on a card that has just restarted for the trial of a good system. At the end the power fails during a start."""
    trial = Trial(card, folder)
    if not report.attempt("a new system that is whole is kept", trial.is_kept):
        return
    slot = trial.new
    for number, (what, change) in enumerate([("whose perchd never starts", _without_perchd), ("that cannot be mounted", _without_system)]):
        broken = changed(whole, folder / f"broken{number}.update", change)
        with Machine(card, BootFiles(card, folder), folder, f"install{number}", broken) as machine:
            if number == 0:
                report.attempt("it is still there after the power went", lambda: f"{slot} runs" if runs_slot(machine, slot) else "")  # noqa: B023 -- called at once
            else:
                report.attempt("the system from before is back", lambda: trial.is_back(machine))  # noqa: B023
            if not report.attempt(f"a new system {what} is installed", lambda: install(machine)):  # noqa: B023
                return
        broken.unlink()
        trial = Trial(card, folder)
        if not report.attempt(f"a new system {what} is left again", lambda: trial.ends_by_itself(has_system=number == 0)):  # noqa: B023
            return
    with Machine(card, BootFiles(card, folder), folder, "cut"):
        time.sleep(cut_after)
    with Machine(card, BootFiles(card, folder), folder, "back") as machine:
        report.attempt(f"the system from before is back, although the power went after {cut_after:.0f} s of its start", lambda: trial.is_back(machine))
        report.attempt("switches off", lambda: switches_off(machine))
