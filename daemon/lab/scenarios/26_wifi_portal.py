"""A board that knows no Wi-Fi, with the card's scripts: its access point, a phone on it that is redirected to perchd's page, a wrong password, the right
one, and rejoining after a restart. Three simulated radios (mac80211_hwsim): the board's, a phone's, and the house's."""

import contextlib
import json
import os
import shutil
import signal
import subprocess

from lab import devices
from lab.daemon import Perchd
from lab.failure import require, wait_for
from lab.systemd import REPOSITORY

SECONDS = 900
IMAGE = f"{REPOSITORY}/image/root"
HOUSE, PASSWORD = 'Café "Perch"', 'eight "or" more'
NETWORK = """network={{
    ssid={name}
    mode=2
    frequency=2412
    key_mgmt=WPA-PSK
    proto=RSN
    pairwise=CCMP
    psk="{password}"
}}
"""
LEASE = "#!/bin/sh\n[ \"$1\" = bound ] && ip address replace $ip/24 dev $interface && echo \"$dns\" >/run/phone-dns\nexit 0\n"


class Radio:
    """Another computer with a radio, in a network namespace of its own."""

    def __init__(self, name, number):
        self.name, self.interface = name, f"wlan{number}"
        phy = os.path.basename(os.path.realpath(f"/sys/class/net/{self.interface}/phy80211"))
        devices.run("ip", "netns", "add", name)
        devices.run("iw", "phy", phy, "set", "netns", "name", name)
        self.run("ip", "link", "set", "lo", "up")
        self.children = []

    def run(self, *command, seconds=40, check=True):
        """Runs a command there."""
        return devices.run("ip", "netns", "exec", self.name, *command, seconds=seconds, check=check)

    def start(self, *command, log):
        """Starts a program that runs until the end of the scenario."""
        with open(log, "ab") as file:
            self.children.append(subprocess.Popen(("ip", "netns", "exec", self.name, *command), stdin=subprocess.DEVNULL, stdout=file, stderr=file))

    def supplicant(self, lab, text):
        """Starts wpa_supplicant with this configuration."""
        path = f"{lab.scratch}/{self.name}.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.start("wpa_supplicant", "-c", path, "-i", self.interface, log=f"{lab.out}/{self.name}.log")

    def is_associated(self):
        """Whether it has joined a network."""
        return "Connected to" in self.run("iw", "dev", self.interface, "link")


class Board:
    """The board: runs what its units run, with shorter times."""

    def __init__(self, lab):
        self.lab, self.child = lab, None
        self.folders = {name: f"{lab.scratch}/{name}" for name in ("board", "state", "tools")}
        for folder in (*self.folders.values(), "/run/perch", "/run/perch-wifi"):
            os.makedirs(folder)
        for name in ("systemctl", "agetty"):
            with open(f"{self.folders['tools']}/{name}", "w", encoding="ascii") as file:
                file.write("#!/bin/sh\n")
            os.chmod(file.name, 0o755)
        self.environment = os.environ | {
            "PATH": f"{self.folders['tools']}:{os.environ['PATH']}", "PERCH_RUN": self.folders["board"], "PERCH_STATE": self.folders["state"],
            "PERCH_ISSUE": f"{lab.scratch}/issue", "PERCH_CABLE_SECONDS": "2", "PERCH_JOIN_SECONDS": "25", "PERCH_ALONE_SECONDS": "60",
            "PERCH_USER": "root", "PERCH_CHOICE_SECONDS": "0",
        }

    def start(self):
        """Starts or restarts the script, as perch-wifi.service does."""
        self.stop()
        with open(f"{self.lab.out}/wifi.log", "ab") as log:
            self.child = subprocess.Popen(
                ("/bin/sh", f"{IMAGE}/usr/lib/perch/wifi"), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self):
        """Stops the script with everything it has started."""
        if self.child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    def takes_over(self):
        """Passes the choice on, as perch-wifi-choice.service does."""
        wait_for(lambda: os.path.exists("/run/perch/wifi-choice"), 10, "perchd leaves no choice")
        done = subprocess.run(("/bin/sh", f"{IMAGE}/usr/lib/perch/wifi-choice"), env=self.environment, capture_output=True, text=True, check=False)
        require(done.returncode == 0 and not done.stderr, f"wifi-choice: {done.stderr}")
        self.start()

    def says(self):
        """The state file that perchd reads."""
        with contextlib.suppress(FileNotFoundError), open("/run/perch-wifi/state", encoding="ascii") as file:
            return file.read()
        return ""

    def wait_until(self, words, seconds):
        """Waits for a state."""
        wait_for(lambda: self.says().startswith(words), seconds, lambda: f"the board says “{self.says()}”, not “{words}”: {tail(f'{self.lab.out}/wifi.log')}", 0.5)


def tail(path):
    """The end of a log."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()[-1500:]


def ask(phone, method, path, host="10.47.0.1", body=None):
    """Status, redirect and body."""
    program = (
        "import http.client, json, sys\n"
        "method, path, host, body = sys.argv[1:]\n"
        "connection = http.client.HTTPConnection('10.47.0.1', 80, timeout=20)\n"
        "connection.request(method, path, body or None, {'Host': host, 'Content-Type': 'application/json'})\n"
        "answer = connection.getresponse()\n"
        "print(json.dumps([answer.status, answer.getheader('Location'), answer.read().decode()]))\n"
    )
    return json.loads(phone.run("/usr/bin/python3", "-c", program, method, path, host, json.dumps(body) if body else ""))


def join_access_point(lab, board, phone):
    """Opens a page as a phone does; returns how it was redirected."""
    board.wait_until("access-point 10.47.0.1 Perch-", 120)
    wait_for(phone.is_associated, 60, lambda: f"the phone does not join: {tail(f'{lab.out}/phone.log')}", 1)
    wait_for(lambda: "10.47.0.1/24" in devices.run("ip", "-4", "address", "show", "dev", "wlan0"), 30, lambda: f"networkd gives no address: {tail(f'{lab.out}/networkd.log')}", 1)
    phone.run("busybox", "udhcpc", "-i", phone.interface, "-n", "-q", "-t", "10", "-s", f"{lab.scratch}/lease", seconds=60)
    with open("/run/phone-dns", encoding="ascii") as file:
        require(file.read().strip() == "10.47.0.1", "the phone is given another name server")
    found = phone.run("busybox", "nslookup", "captive.apple.com", "10.47.0.1", check=False)
    require("Address: 10.47.0.1\n" in found and "can't" not in found, f"names lead elsewhere: {found}")
    status, there, _ = ask(phone, "GET", "/hotspot-detect.html", host="captive.apple.com")
    require((status, there) == (302, "http://10.47.0.1/wifi"), f"the phone is led nowhere: {status} {there}")
    status, _, page = ask(phone, "GET", "/wifi")
    require(status == 200 and "<!doctype html" in page.lower(), f"/wifi: {status}")


def guest(lab):
    devices.run("modprobe", "mac80211_hwsim", "radios=3")
    shutil.rmtree("/run/systemd/network", ignore_errors=True)
    os.makedirs("/run/systemd/network")
    for name in ("25-access-point.network", "30-wifi.network"):
        shutil.copy(f"{IMAGE}/etc/systemd/network/{name}", "/run/systemd/network")
    with open(f"{lab.scratch}/lease", "w", encoding="ascii") as file:
        file.write(LEASE)
    os.chmod(file.name, 0o755)
    phone, house = Radio("phone", 1), Radio("house", 2)
    house.supplicant(lab, NETWORK.format(name=HOUSE.encode().hex(), password=PASSWORD))
    house.run("ip", "address", "add", "192.168.77.1/24", "dev", house.interface)
    house.start("dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--port=0", "--bind-dynamic", f"--interface={house.interface}",
                "--dhcp-range=192.168.77.10,192.168.77.50", "--leasefile-ro", "--pid-file=", log=f"{lab.out}/house-dhcp.log")
    board = Board(lab)
    with open(f"{lab.out}/networkd.log", "ab") as log:
        networkd = subprocess.Popen(("/lib/systemd/systemd-networkd",), env=os.environ | {"SYSTEMD_LOG_LEVEL": "debug"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    perchd = Perchd(lab, environment={"RUNTIME_DIRECTORY": "/run/perch", "PERCH_LISTEN": "0.0.0.0:80,127.0.0.1:8080", "PERCH_LIVE_AUTOSTART": "false"}, source="test-pattern")
    try:
        with perchd:
            return run(lab, board, phone)
    finally:
        board.stop()
        for child in (networkd, *phone.children, *house.children):
            child.kill()


def run(lab, board, phone):
    """The scenario."""
    board.start()
    board.wait_until("access-point", 90)
    name = board.says().split()[2]
    phone.supplicant(lab, f'network={{\n    ssid="{name}"\n    key_mgmt=NONE\n}}\n')
    join_access_point(lab, board, phone)
    _, _, seen = ask(phone, "GET", "/api/v1/system/wifi")
    seen = json.loads(seen)
    require([one["ssid"] for one in seen["networks"]] == [HOUSE] and seen["setup_code"], f"the page would show {seen}")

    # The wrong password.
    status, _, said = ask(phone, "PUT", "/api/v1/system/wifi", body={"ssid": HOUSE, "password": "not the password"})
    require(status == 204, f"the choice is refused: {said}")
    board.takes_over()
    board.wait_until("joining", 20)
    join_access_point(lab, board, phone)
    seen = json.loads(ask(phone, "GET", "/api/v1/system/wifi")[2])
    require(seen["problem"] == f"“{HOUSE}” refused the password", f"what is told of a wrong password: {seen['problem']}")

    # The right one.
    require(ask(phone, "PUT", "/api/v1/system/wifi", body={"ssid": HOUSE, "password": PASSWORD})[0] == 204, "the choice is refused")
    board.takes_over()
    board.wait_until(f"joined {HOUSE.encode().hex()}", 60)
    address = lambda: devices.run("ip", "-4", "address", "show", "dev", "wlan0")  # pylint: disable=unnecessary-lambda-assignment
    wait_for(lambda: "192.168.77." in address(), 60, lambda: f"no address of the house: {address()}", 1)
    require("10.47.0.1" not in address(), f"the access point's address is still there: {address()}")

    # Switched off and on.
    board.start()
    board.wait_until("joined", 60)
    for log in os.listdir(lab.out):
        if log.endswith("log") and log != "phone.log":
            with open(f"{lab.out}/{log}", encoding="utf-8", errors="replace") as file:
                require(PASSWORD not in (text := file.read()) and "not the password" not in text, f"a password stands in {log}")
    return f"{name}; a phone was led to the page; a wrong password was told; joined, and again after a restart"
