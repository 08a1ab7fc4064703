"""perchd as its own user, with the shipped unit and udev rules: it can open cameras, encoder, microphone and GPIO, also those that appear
after its start, but no other device and no other user's files. A long press switches the machine off through perch-poweroff.path."""

import contextlib
import glob
import grp
import json
import os
import pwd
import shutil
import stat
import time

from lab import devices, gpio
from lab.daemon import Perchd
from lab.failure import require, wait_for
from lab.systemd import AS_SHIPPED, REPOSITORY, Systemd

SECONDS = 400
BUTTON, LAMP = 3, 17
DOORS = """
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/usr/bin/python3 /run/lab/doors.py {doors}
ExecStopPost=
StandardOutput=truncate:/run/lab/doors.json
StandardError=append:/run/lab/doors.log
"""


@contextlib.contextmanager
def installed():
    """Creates the user, its groups and the udev rules, as the package does; removes them afterwards."""
    layers = "/run/lab-etc"
    for layer in ("upper", "work"):
        os.makedirs(f"{layers}/{layer}")
    devices.load("overlay")
    devices.run("mount", "-t", "overlay", "etc", "-o", f"lowerdir=/etc,upperdir={layers}/upper,workdir={layers}/work", "/etc")
    rules = "/run/udev/rules.d/60-perch.rules"
    try:
        devices.run("systemd-sysusers", *glob.glob(f"{REPOSITORY}/systemd/*sysusers*"))
        os.makedirs(os.path.dirname(rules), exist_ok=True)
        shutil.copy(f"{REPOSITORY}/systemd/60-perch.rules", rules)
        devices.run("udevadm", "control", "--reload")
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(rules)
        devices.run("udevadm", "control", "--reload", check=False)
        devices.run("umount", "--lazy", "/etc", check=False)
        shutil.rmtree(layers, ignore_errors=True)


def group_of(path):
    """The file's owner and group."""
    return grp.getgrgid(os.stat(path).st_gid).gr_name


def unlocked(path, node=None):
    """A device that everyone may open, except for the unit's rules."""
    if node:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.mknod(path, *node)
    os.chmod(path, 0o666)
    return path


def disguise_clock_as_gpio_registers(systemd):
    """Makes systemd treat the machine's clock (/dev/rtc0) as a Raspberry Pi's register driver; returns the clock's device."""
    clock = os.stat("/dev/rtc0").st_rdev
    with open("/proc/devices", encoding="ascii") as file:
        drivers = file.read()
    with open("/run/lab/drivers", "w", encoding="ascii") as file:
        file.write(drivers.replace("Character devices:\n", f"Character devices:\n{os.major(clock):3} bcm2835-gpiomem\n"))
    systemd.inside("mount", "--bind", "/run/lab/drivers", "/proc/devices")
    return unlocked("/dev/gpiomem", (stat.S_IFCHR | 0o660, clock))


def try_doors(systemd, doors):
    """The result of opening each, inside the sandbox."""
    with open(f"{systemd.units}/perch-doors.service.d/try.conf", "w", encoding="utf-8") as file:
        file.write(DOORS.format(doors=" ".join(doors)))
    systemd.systemctl("daemon-reload")
    systemd.systemctl("start", "perch-doors.service")
    with open("/run/lab/doors.json", encoding="utf-8") as file:
        return json.load(file)


def guest(lab):
    with installed():
        try:
            return run(lab)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink("/dev/gpiomem")
            for log in ("perchd.log", "doors.log", "doors.json"):
                devices.run("cp", f"/run/lab/{log}", f"{lab.out}/{log}", check=False)


def run(lab):
    """The scenario."""
    environment = {
        "PERCH_LIVE_AUTOSTART": "false", "PERCH_BUTTON_SOURCE": "gpio", "PERCH_BUTTON_CHIP": "header", "PERCH_BUTTON_LINE": BUTTON,
        "PERCH_LAMP_ENABLED": "true", "PERCH_LAMP_CHIP": "header", "PERCH_LAMP_LINE": LAMP,
    }
    perchd = Perchd(lab, device="/dev/video0", encoder="v4l2-m2m")
    with open(perchd.config, encoding="utf-8") as file:
        text = file.read().replace(perchd.data, "/var/lib/perch")
    with open(perchd.config, "w", encoding="utf-8") as file:
        file.write(text)
    variables = "".join(f"\nEnvironment={name}={value}" for name, value in environment.items())
    systemd = Systemd(lab, perchd.config, AS_SHIPPED + variables)
    systemd.add("perch-poweroff.path", "perch-poweroff.service", "poweroff.target", "shutdown.target", "umount.target",
                "final.target", "systemd-poweroff.service")
    for unit in ("perch-poweroff.path", "perch-poweroff.service"):
        os.makedirs(f"{systemd.units}/{unit}.d")
        with open(f"{systemd.units}/{unit}.d/lab.conf", "w", encoding="utf-8") as file:
            file.write("[Unit]\nDefaultDependencies=no\n")
    shutil.copy(f"{systemd.units}/perchd.service", f"{systemd.units}/perch-doors.service")
    shutil.copytree(f"{systemd.units}/perchd.service.d", f"{systemd.units}/perch-doors.service.d")
    shutil.copy(f"{REPOSITORY}/daemon/lab/lab/doors.py", "/run/lab/doors.py")
    perchd.log = "/run/lab/perchd.log"
    words = []
    with systemd:
        systemd.systemctl("start", "perch-poweroff.path", "perchd.service")
        pid = int(systemd.show("MainPID"))
        user = systemd.inside("stat", "--format=%U %G", f"/proc/{pid}").split()
        groups = systemd.inside("sed", "-n", "s/^Groups:[ \t]*//p", f"/proc/{pid}/status").split()
        groups = sorted(grp.getgrgid(int(number)).gr_name for number in groups)
        require(user == ["perch", "perch"], f"perchd runs as {user}")
        require({"audio", "gpio", "video"} <= set(groups) <= {"audio", "gpio", "perch", "video"}, f"perchd is in the groups {groups}")
        words.append(f"as perch in {', '.join(groups)}")

        # All devices appear after perchd has started.
        chip = gpio.Chip("header").plug_in()
        node = f"/dev/{chip.name}"
        require((group_of(node), stat.S_IMODE(os.stat(node).st_mode)) == ("gpio", 0o660), f"{node} is of group {group_of(node)}")
        require(devices.camera() == "/dev/video0", "vivid's node has another number")
        encoder = devices.encoder(formats=2)
        button = gpio.Button(chip, BUTTON)
        log = lambda: open(perchd.log, encoding="utf-8").read()  # pylint: disable=consider-using-with,unnecessary-lambda-assignment
        wait_for(lambda: f"the button is line {BUTTON} of" in log(), 20, lambda: f"no button: {perchd.last_words()}")
        button.press()
        took = perchd.wait_live(40)
        live = perchd.camera()
        require("perch-h264-m2m" in live["encoder"] and "vivid" in live["camera"], f"{live}")
        gpio.soon_shows(lambda: chip.is_high(LAMP), "on")
        words.append(f"{live['camera']} and {live['encoder']} live {took:.1f} s after a press")
        button.press()
        wait_for(lambda: perchd.camera().get("state") == "stopped", 20, lambda: f"it does not end: {perchd.say()}")
        systemd.systemctl("stop", "perchd.service")

        # Inside the same sandbox. Everyone else may open the files that it must not open.
        devices.load("snd-aloop")
        devices.load("brd", rd_nr=1, rd_size=64)
        for module in ("uinput", "loop", "fuse", "mousedev"):
            devices.load(module)
        microphone = glob.glob("/dev/snd/pcmC*D*c")[0]
        require(group_of(microphone) == "audio", f"{microphone} is of group {group_of(microphone)}")
        registers = disguise_clock_as_gpio_registers(systemd)
        perch = pwd.getpwnam("perch")
        # Owned by perchd's user, but outside the unit's directories.
        own = ["/srv/own", "/run/own", "/var/own"]
        for path in own:
            os.makedirs(path, exist_ok=True)
            os.chown(path, perch.pw_uid, perch.pw_gid)
        with open("/run/lab/secret", "w", encoding="ascii") as file:
            file.write("somebody else's\n")
        os.chmod("/run/lab/secret", 0o600)
        allowed = ["rw:/dev/video0", f"rw:{encoder}", f"rw:{microphone}", f"rw:{node}", f"rw:{registers}", "w:/dev/null", "r:/dev/urandom",
                   "w:/var/lib/perch/try", "w:/run/perch/try", "r:/etc/ssl/openssl.cnf"]
        mouse = unlocked("/dev/input/lab-mouse", (stat.S_IFCHR | 0o666, os.makedev(13, 63)))
        refused = [f"r:{unlocked('/dev/mem')}", f"rw:{unlocked('/dev/ram0')}", f"r:{mouse}", f"w:{unlocked('/dev/kmsg')}",
                   f"r:{unlocked('/dev/tty1')}", f"rw:{unlocked('/dev/loop-control')}", f"rw:{unlocked('/dev/fuse')}",
                   "r:/etc/shadow", "r:/run/lab/secret", "r:/root", "r:/home", "w:/etc/perch-was-here", "w:/usr/bin/perch-was-here",
                   *(f"w:{path}/try" for path in own), "w:/sys/kernel/mm/ksm/run", "w:/proc/sys/kernel/panic"]
        # Files that anyone may open show whether the sandbox blocks them.
        for door in refused[:7]:
            require(os.path.exists(door.split(":")[1]), f"{door} is not there to be tried")
        found = try_doors(systemd, allowed + refused)
        wrong = [f"{door}: {found[door]}" for door in allowed if found[door] != "open"]
        wrong += [f"{door}: open" for door in refused if found[door] == "open"]
        require(not wrong, f"doors: {'; '.join(wrong)}")
        locked = {door: found[door] for door in refused[:7]}
        require(set(locked.values()) <= {"EPERM", "ENOENT", "EACCES"}, f"{locked}")
        words.append(f"{len(allowed)} doors open, {len(refused)} locked")

        # A long press: systemd switches off, and perchd stops cleanly.
        before = len(systemd.results())
        systemd.systemctl("start", "perchd.service")
        known = len(log())
        wait_for(lambda: f"the button is line {BUTTON} of" in log()[known - 2000:], 20, lambda: f"no button: {perchd.last_words()}")
        button.press()
        wait_for(lambda: perchd.camera().get("state") == "live", 40, lambda: f"nothing starts: {perchd.say()}")
        began = time.monotonic()
        button.bounce(True)
        wait_for(lambda: systemd.process.poll() is not None, 40, lambda: f"the machine is still on: {perchd.last_words()}")
        words.append(f"off {time.monotonic() - began:.1f} s after the button was pressed for long")
        require(systemd.results()[before:] == ["success"], f"perchd ended with {systemd.results()[before:]}")
        require("SIGTERM: shutting down" in log(), "perchd was not asked to end")
        require(not chip.is_high(LAMP), "the lamp is on after the end")
    return "; ".join(words)
