"""Mishaps of boards in use: no network, a name that another computer has, a network that changes, a clock at 1970, a wrong Wi-Fi
password, a card that has become read-only."""

import time
from pathlib import Path

import cable
import radios
from machine import ROUTERS_ADDRESS, BootFiles, Failure, Machine
from report import Report
from site_client import PASSWORD, START_SECONDS, Site

_WIFI = "Our Wi-Fi"
_PASSWORD = "hens and eggs"


class Alone:
    """A board without a cable and without a known Wi-Fi."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def opens_its_access_point(self) -> str:
        self.machine.run("until systemctl --quiet is-active perchd; do sleep 1; done", START_SECONDS)
        radios.switch_on(self.machine, 3)
        began = time.monotonic()
        name = self._is_access_point()
        seconds = time.monotonic() - began
        self.machine.serial.wait_for(f"Join the Wi-Fi {name} with a phone".encode(), 60)
        self.phone = radios.Phone(self.machine, "wlan1", name)
        return f"{name}, {seconds:.0f} s after its radio was there; the screen tells of it, and a phone is on it"

    def _is_access_point(self) -> str:
        self.machine.run("until grep -q ^access-point /run/perch-wifi/state; do sleep 1; done", 240)
        return self.machine.run("head -n 1 /run/perch-wifi/state").split()[2]

    def leads_to_its_page(self) -> str:
        head, _ = self.phone.ask("GET", "/hotspot-detect.html", "captive.apple.com")
        if not head.startswith("HTTP/1.1 302 ") or f"http://{radios.BOARD}/wifi" not in head:
            raise Failure(head)
        self.machine.run("pgrep --full 'dnsmasq .*--interface=wlan0'")
        return f"what a phone asks for is answered with http://{radios.BOARD}/wifi"

    def has_a_clock(self) -> str:
        year = int(self.machine.run("date +%Y"))
        if year < 2025:
            raise Failure(f"it is {year}")
        return f"it was switched on in 1970, and says {year}"

    def takes_another_name(self) -> str:
        with cable.Neighbour("perch.local"):
            self.machine.plug("cable", is_in=True)
            self.machine.name = "perch-2.local"
            site = Site(self.machine)
            try:
                site.wait_for("/api/v1/settings", 90)
            except Failure as failure:
                raise Failure(f"{failure}: {self.machine.why_not('avahi-daemon')}") from None
            site.log_in()
            return f"somebody has perch.local: it is perch-2.local, {self.machine.address()}, and its owner logs in there"

    def closes_its_access_point(self) -> str:
        self.machine.run("until grep -q '^idle' /run/perch-wifi/state && ! pgrep dnsmasq; do sleep 1; done", 60)
        return "the cable is enough"

    def follows_its_cables(self) -> str:
        self.machine.plug("router", is_in=True)
        self.machine.run(f"until hostname -I | grep -q '{ROUTERS_ADDRESS} '; do sleep 1; done", 60)
        self.machine.plug("router", is_in=False)
        self.machine.run(f"while hostname -I | grep -q '{ROUTERS_ADDRESS} '; do sleep 1; done", 60)
        self.machine.plug("cable", is_in=False)
        time.sleep(5)
        self.machine.plug("cable", is_in=True)
        Site(self.machine).wait_for("/api/v1/settings", 60)
        return "an address more, one less, the last plug pulled and put in again"

    def takes_the_right_password(self) -> str:
        """First a wrong one. There is an owner already, so a login is needed."""
        radios.open_access_point(self.machine, "wlan2", _WIFI, _PASSWORD)
        self.machine.plug("cable", is_in=False)
        problems = []
        for password in ("eggs and hens", _PASSWORD):
            self._is_access_point()
            self.phone.comes_in()
            token = self.phone.must("POST", "/api/v1/auth/login", {"username": "ann", "password": PASSWORD})["access_token"]
            problems.append(self.phone.must("GET", "/api/v1/system/wifi", token=token)["problem"])
            self.phone.must("PUT", "/api/v1/system/wifi", {"ssid": _WIFI, "password": password}, token)
            self.machine.run("while grep -q ^access-point /run/perch-wifi/state; do sleep 1; done", 60)
        self.machine.run(f"until grep -q '^joined {_WIFI.encode().hex()}' /run/perch-wifi/state; do sleep 1; done", 120)
        if problems != [None, f"“{_WIFI}” refused the password"]:
            raise Failure(str(problems))
        return f"the page says: {problems[1]}; with the right one it is in"


def says_that_the_card_is_locked(machine: Machine) -> str:
    """The text on the screen."""
    machine.serial.wait_for(rb"The card cannot be written to: it is locked or worn out", START_SECONDS)
    machine.serial.wait_for(rb"Perch starts anew in a minute", 20)
    return f"the screen says so after {machine.age():.0f} s"


def try_mishaps(card: Path, folder: Path, report: Report) -> None:
    """Runs all tests, on a card whose owner is ann."""
    with Machine(card, BootFiles(card, folder), folder, "locked", is_writable=False) as machine:
        report.attempt("a card that cannot be written to", lambda: says_that_the_card_is_locked(machine))
    with Machine(card, BootFiles(card, folder), folder, "alone", is_plugged=False) as machine:
        board = Alone(machine)
        if report.attempt("no network: an access point", board.opens_its_access_point):
            report.attempt("a phone on it is led to the page", board.leads_to_its_page)
        report.attempt("1970 on the clock", board.has_a_clock)
        if report.attempt("two boards of one name", board.takes_another_name):
            report.attempt("a cable closes the access point", board.closes_its_access_point)
            report.attempt("the network changes", board.follows_its_cables)
            report.attempt("a wrong Wi-Fi password, then the right one", board.takes_the_right_password)
