"""wifi.txt and perch.toml on the boot partition: valid ones are applied, wrong lines are reported. Wi-Fi is the kernel's mac80211_hwsim: two radios in the
same machine, one of which the test makes an access point."""

import subprocess
import time
from pathlib import Path

import radios
from machine import BootFiles, Failure, Machine, make_card, write_on_boot_partition
from report import Report
from site_client import PASSWORD, Site

_NETWORK, _PASSWORD = 'Caf\N{LATIN SMALL LETTER E WITH ACUTE} "Perch"', 'eight "or" more'
_CONFIG = '[[camera]]\nname = "garden"\nsource = "test-pattern"\n'
_SETUP_CODE = "hens lay eggs 4 me"


class BootPartition:
    """One board with files on its boot partition."""

    def __init__(self, machine: Machine, key: Path) -> None:
        self.machine, self.key = machine, key

    def has_its_name(self) -> str:
        Site(self.machine).comes_up()
        name = self.machine.run("hostname").strip()
        if name != "henhouse":
            raise Failure(name)
        return f"henhouse; henhouse.local is {self.machine.address()}"

    def has_its_camera(self) -> str:
        said = self.machine.run("tr '\\0' '\\n' </proc/$(systemctl show --property MainPID --value perchd)/environ | grep PERCH_CONFIG; cat /run/perch-board/perch.toml")
        if "PERCH_CONFIG=/run/perch-board/perch.toml" not in said or "garden" not in said:
            raise Failure(said)
        return "perch.toml is perchd's configuration"

    def has_its_time_zone(self) -> str:
        zone = self.machine.run("date +%Z").strip()
        if zone not in ("CET", "CEST"):
            raise Failure(zone)
        return f"Europe/Berlin: {zone}"

    def takes_its_code(self) -> str:
        site = Site(self.machine)
        site.must("POST", "/api/v1/setup", {"setup_code": _SETUP_CODE, "username": "ann", "password": PASSWORD})
        site.log_in()
        return "whoever has it made the owner's account"

    def opens_to_the_key(self) -> str:
        self.machine.run("until systemctl --quiet is-active ssh; do sleep 1; done", 120)
        ssh = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=60"]
        mine = subprocess.run([*ssh, "-o", "BatchMode=yes", "-i", str(self.key), f"root@{self.machine.address()}", "hostname"], capture_output=True, text=True, timeout=120, check=False)
        if mine.stdout.strip() != "henhouse":
            raise Failure(mine.stderr)
        other = subprocess.run(
            [*ssh, "-v", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", "/dev/null", f"root@{self.machine.address()}", "hostname"],
            capture_output=True, text=True, timeout=120, check=False,
        )
        if "Permission denied (publickey)" not in other.stderr:
            raise Failure(f"without the key: {other.stdout} {other.stderr[-300:]}")
        return "with the key, and by nothing else"

    def joins_the_wifi(self) -> str:
        radios.switch_on(self.machine, 2)
        radios.open_access_point(self.machine, "wlan1", _NETWORK, _PASSWORD)
        self.machine.run('until [ "$(cat /sys/class/net/wlan0/carrier 2>/dev/null)" = 1 ]; do sleep 1; done', 120)
        return "WPA2, a name with quotation marks and an accent; simulated radios"

    def tells_what_is_wrong(self) -> str:
        said = self.machine.run("cat /boot/firmware/perch-errors.txt; findmnt --noheadings --output OPTIONS /boot/firmware")
        if "line 5: a country is two capitals" not in said or not said.splitlines()[-1].startswith("ro"):
            raise Failure(said)
        self.machine.serial.wait_for(rb"line 5: a country is two capitals", 60)
        return said.splitlines()[0]


def try_boot_files(image: Path, folder: Path, cut_after: float, report: Report) -> None:
    """Runs all tests, on a card whose first start was cut off by a power failure after so many seconds."""
    key = folder / "key"
    for old in (key, folder / "key.pub"):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    # In Notepad's format, with one wrong line.
    wifi = ["\ufeff# Ours", f"network = {_NETWORK}", f"password = {_PASSWORD}", "name = henhouse", "country = Switzerland"]
    wifi += ["time-zone = Europe/Berlin", f"setup-code = {_SETUP_CODE}", f"ssh-key = {(folder / 'key.pub').read_text().strip()}"]
    changed = write_on_boot_partition(image, folder / "files.img", {"wifi.txt": "\r\n".join(wifi), "perch.toml": _CONFIG})
    card = folder / "files.qcow2"
    make_card(changed, card)
    with Machine(card, BootFiles(card, folder), folder, "cut"):
        time.sleep(cut_after)
    with Machine(card, BootFiles(card, folder), folder, "files", name="henhouse.local") as machine:
        board = BootPartition(machine, key)
        if report.attempt(f"the power went {cut_after:.0f} s after the first start; now it starts, with its name of wifi.txt", board.has_its_name):
            report.attempt("perch.toml of the boot partition", board.has_its_camera)
            report.attempt("wifi.txt: a wrong line is told on the screen and beside the file", board.tells_what_is_wrong)
            report.attempt("wifi.txt: the time zone", board.has_its_time_zone)
            report.attempt("wifi.txt: the set-up code", board.takes_its_code)
            report.attempt("wifi.txt: SSH", board.opens_to_the_key)
            report.attempt("wifi.txt: Wi-Fi", board.joins_the_wifi)
