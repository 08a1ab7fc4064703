"""A new board from its first start on, used from a computer beside it through perch.local."""

import re
import time
from pathlib import Path

import cable
from machine import ROUTERS_ADDRESS, BootFiles, Failure, Machine
from report import Report
from site_client import PASSWORD, Site
from updates import install_by_the_page, refuses_a_strangers

_MAIN_PID = "systemctl show --property MainPID --value perchd"


class FirstBoot:
    """The tests of one board, from its first start on."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.site = Site(machine)
        self.stream = ""
        self.start_seconds = 0.0

    def becomes_ready(self) -> str:
        self.site.comes_up()
        self.start_seconds = self.machine.age()
        ready = int(self.machine.run("systemctl show --property ActiveEnterTimestampMonotonic --value perchd"))
        return f"perchd was READY {ready / 1e6:.1f} s after the kernel's start ({self.start_seconds:.0f} s after power on; emulated)"

    def has_its_addresses(self) -> str:
        own, all_of_them = self.machine.address(), self.machine.run("hostname -I").split()
        if own not in all_of_them or not own.startswith("169.254."):
            raise Failure(f"{self.machine.name} leads to {own}; the board's are {all_of_them}")
        if ROUTERS_ADDRESS not in all_of_them:
            raise Failure(f"none from the router: {all_of_them}")
        return f"perch.local is {own}, one of its own, on the cable that nobody gives addresses on; {ROUTERS_ADDRESS} from the router"

    def keeps_its_name(self) -> str:
        """Addresses come and go during a name check, as with a router's prefix; no other computer has the name."""
        self.machine.run(
            "for all in /proc/sys/net/ipv6/conf/en*; do echo 0 >$all/accept_dad; for n in 1 2 3 4 5 6 7 8; do "
            "echo 1 >$all/disable_ipv6; sleep 0.$n; echo 0 >$all/disable_ipv6; sleep 0.$n; done; done", 120
        )
        if not cable.find(self.machine.name, 30):
            raise Failure(self.machine.why_not("avahi-daemon"))
        return "IPv6 went and came back 16 times"

    def sets_up(self) -> str:
        code = self.machine.serial.wait_for(rb"code to set it up: ([A-Z0-9-]+)\s", 120)[1].decode()
        self.site.must("POST", "/api/v1/setup", {"setup_code": code, "username": "ann", "password": PASSWORD})
        self.site.log_in()
        me = self.site.must("GET", "/api/v1/me")
        if me["role"] != "owner":
            raise Failure(f"ann is {me['role']}")
        return "with the code that the screen shows; logged in as the owner, all by the name perch.local"

    def camera(self) -> dict:
        """The first one."""
        return self.site.must("GET", "/api/v1/cameras")["items"][0]

    def plays(self) -> str:
        wanted = {"title": "Out of the image", "camera": self.camera()["name"], "width": 320, "height": 180, "fps": 10, "bitrate_kbps": 300}
        self.stream = self.site.must("POST", "/api/v1/streams", wanted)["id"]
        self.site.wait_for(f"/api/v1/streams/{self.stream}", 120, lambda stream: stream["state"] == "live")
        found = self.site.frames(self.stream, 120)
        if (found["codec_name"], found["width"], found["height"]) != ("h264", 320, 180) or int(found["nb_read_frames"]) < 10:
            raise Failure(str(found))
        return f"ffprobe decoded {found['nb_read_frames']} pictures of 320x180"

    def takes_a_camera_that_comes_later(self) -> str:
        """The kernel's virtual camera: for perchd, with the image's unit and groups, it is a USB camera that was plugged in."""
        self.site.must("POST", f"/api/v1/streams/{self.stream}/stop")
        self.machine.run("modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0; udevadm settle", 60)
        said, camera = self.plays(), self.camera()["camera"]
        self.site.must("POST", f"/api/v1/streams/{self.stream}/stop")
        self.site.wait_for(f"/api/v1/streams/{self.stream}", 60, lambda stream: stream["state"] == "ended")
        self.machine.run("modprobe --remove vivid", 60)
        if "vivid" not in camera:
            raise Failure(f"the picture is from {camera}")
        return f"{camera}: {said}"

    def hangs_and_is_restarted(self) -> str:
        before = self.machine.run(_MAIN_PID).strip()
        self.machine.run(f"kill -STOP {before}")
        began = time.monotonic()
        self.machine.run(f'while p=$({_MAIN_PID}); [ "$p" = {before} ] || [ "$p" = 0 ]; do sleep 1; done', 240)
        self.site.comes_up()
        self.site.log_in()
        return f"SIGSTOP: another perchd was up after {time.monotonic() - began:.0f} s"

    def nothing_failed(self) -> str:
        self.machine.has_no_failed_unit()
        running = self.machine.run("systemctl list-units --type=service --state=running --no-legend --plain").split("\n")
        return "running: " + ", ".join(sorted(line.split()[0].removesuffix(".service") for line in running if line.strip()))

    def cannot_be_written_to(self) -> str:
        # perchd itself can see even less of it, even as root.
        sandbox = f"nsenter --target $({_MAIN_PID}) --mount"
        hidden = [f"{sandbox} touch {path}/new" for path in ("/run", "/var", "/var/lib/systemd", "/state", "/boot/firmware")]
        for command in ("touch /new", "touch /usr/bin/new", "touch /etc/new", *hidden):
            said, code = self.machine.try_to(command)
            if code == 0 or "Read-only" not in said:
                raise Failure(f"{command}: {code} {said}")
        return self.machine.run("findmnt --noheadings --output SOURCE,FSTYPE,OPTIONS /").strip()

    def has_the_whole_card(self) -> str:
        megabytes = int(self.machine.run("findmnt --noheadings --bytes --output SIZE /state")) // 1_000_000
        if megabytes < 1500:
            raise Failure(f"the state has {megabytes} MB")
        return f"the state has {megabytes} MB"

    def feeds_the_watchdog(self) -> str:
        dog = "/sys/class/watchdog/watchdog0"
        identity, state, seconds = self.machine.run(f"cat {dog}/identity {dog}/state {dog}/timeout").split("\n")[:3]
        if state != "active":
            raise Failure(f"{identity} is {state}")
        return f"{identity} counts to {seconds} s, and systemd feeds it"

    def survives_a_full_card(self) -> str:
        """Perch reports it, continues, restarts, lets its owner log in, and recovers when space is freed."""
        self.machine.run("fallocate --length $(df --output=avail --block-size=1 /state | tail -n 1) /state/everything", 60)
        try:
            words = self.serves_without_room()
        finally:
            self.machine.run("rm /state/everything")
        self.logs_in_and_writes("on a card with room")
        return f"“{words}”; perchd starts on it, and its owner can log in and write"

    def serves_without_room(self) -> str:
        """Its warnings about the card."""
        status, answer = self.site.give("/api/v1/restore", b"x" * 2_000_000)
        if status != 507:
            raise Failure(f"a backup was given, and the answer is {status} {answer}")
        warnings = self.site.wait_for("/api/v1/system", 30, lambda system: any("full" in warning for warning in system["warnings"]))["warnings"]
        self.logs_in_and_writes("on a full card")
        self.machine.run("systemctl restart perchd", 120)
        self.site.comes_up()
        self.logs_in_and_writes("on a full card after a restart")
        return next(warning for warning in warnings if "full" in warning)

    def logs_in_and_writes(self, what: str) -> None:
        self.site.log_in()
        self.site.must("PATCH", "/api/v1/me", {"bio": what})

    def has_no_open_door(self) -> str:
        if "root L" not in self.machine.run("passwd --status root") or self.machine.run("cut -d: -f2 /etc/shadow | grep -c '^\\$' || true").strip() != "0":
            raise Failure("somebody has a password")
        listening = self.machine.run("cat /proc/net/tcp /proc/net/tcp6")
        ports = {int(port, 16) for port in re.findall(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A", listening, re.MULTILINE)}
        local = {53, 5355}
        if not ports - local <= {80, 443, 8080}:
            raise Failure(f"ports {sorted(ports)}")
        return f"no password; TCP ports {sorted(ports)}"

    def memory(self) -> str:
        info = dict(re.findall(r"^(\w+): +(\d+) kB", self.machine.run("cat /proc/meminfo"), re.MULTILINE))
        used = (int(info["MemTotal"]) - int(info["MemAvailable"])) // 1024
        unit = int(self.machine.run("systemctl show --property MemoryCurrent --value perchd")) // 1_000_000
        return f"the whole system uses {used} MiB of {int(info['MemTotal']) // 1024}; perchd's unit {unit} MB"


def try_first_boot(card: Path, folder: Path, update: Path, report: Report) -> tuple[float, bool]:
    """A new card, from its first start until it restarts into an update. Returns how long a start takes here, and whether it reached the restart."""
    with Machine(card, BootFiles(card, folder), folder, "first") as machine:
        board = FirstBoot(machine)
        if not report.attempt("becomes ready", board.becomes_ready):
            return board.start_seconds, False
        report.attempt("addresses and the name perch.local", board.has_its_addresses)
        report.attempt("the name stays when addresses change", board.keeps_its_name)
        report.attempt("memory", board.memory)
        report.attempt("set-up and login", board.sets_up)
        report.attempt("the test pattern plays", board.plays)
        report.attempt("a daemon that hangs is restarted", board.hangs_and_is_restarted)
        report.attempt("a camera that is plugged in later", board.takes_a_camera_that_comes_later)
        report.attempt("nothing has failed", board.nothing_failed)
        report.attempt("the system is read-only", board.cannot_be_written_to)
        report.attempt("the state has the whole card", board.has_the_whole_card)
        report.attempt("no door is open", board.has_no_open_door)
        report.attempt("the hardware watchdog is fed", board.feeds_the_watchdog)
        report.attempt("a full card", board.survives_a_full_card)
        report.attempt("an update of somebody else's is refused", lambda: refuses_a_strangers(board.site, folder))
        # Six starts, some of them short, and three installations.
        if not report.has_time_for("updates, roll-back, a power cut on the way back", 8 * board.start_seconds):
            return board.start_seconds, False
        return board.start_seconds, report.attempt("a new system is given to the page, and installed", lambda: install_by_the_page(machine, board.site, update))
