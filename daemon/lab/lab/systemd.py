"""A real systemd, PID 1 in a namespace of its own inside the virtual machine, which runs perchd with the shipped unit."""

import os
import shutil
import signal
import subprocess

from . import devices
from .failure import wait_for

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# The lab's differences from a board: the paths of the program and its configuration, and no basic system.
AS_SHIPPED = """
[Unit]
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
[Service]
ExecStart=
ExecStart=/run/lab/perchd --config /run/lab/perch.toml
StandardOutput=append:/run/lab/perchd.log
StandardError=append:/run/lab/perchd.log
# The result of each run as systemd names it: success, watchdog, exit-code, …; written outside the service's sandbox, where /run is read-only.
ExecStopPost=+/bin/sh -c 'echo "$SERVICE_RESULT" >>/run/lab/results'
"""
# For machines where no user can be added to /etc/passwd.
DROP_IN = f"{AS_SHIPPED}\nUser=nobody\nGroup=nogroup\nSupplementaryGroups=\nSupplementaryGroups=video\n"


class Systemd:
    """Boots on entering `with`; on leaving it is killed with everything it runs."""

    def __init__(self, lab, config, drop_in=DROP_IN):
        self.units = "/run/lab/units"
        shutil.rmtree("/run/lab", ignore_errors=True)
        os.makedirs(f"{self.units}/perchd.service.d")
        # The service runs as nobody, which must be able to write there.
        os.chmod("/run/lab", 0o777)
        shutil.copy(lab.perchd, "/run/lab/perchd")
        shutil.copy(config, "/run/lab/perch.toml")
        shutil.copy(f"{REPOSITORY}/systemd/perchd.service", self.units)
        with open(f"{self.units}/perchd.service.d/lab.conf", "w", encoding="utf-8") as file:
            file.write(drop_in)
        # Port 80, which the service requires.
        shutil.copy(f"{REPOSITORY}/systemd/perchd.socket", self.units)
        os.makedirs(f"{self.units}/perchd.socket.d")
        with open(f"{self.units}/perchd.socket.d/lab.conf", "w", encoding="utf-8") as file:
            file.write("[Unit]\nDefaultDependencies=no\n")
        # Loads modules for units that need them.
        shutil.copy("/lib/systemd/system/modprobe@.service", self.units)
        with open(f"{self.units}/lab.target", "w", encoding="utf-8") as file:
            file.write("[Unit]\nDescription=Nothing but the manager\nDefaultDependencies=no\n")
        self.process = None
        self.pid = 0

    def __enter__(self):
        # Its messages go to the machine's console, and from there to run.sh's machine-N.log.
        self.process = subprocess.Popen(
            ("unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "env", "-i", "container=lab",
             f"SYSTEMD_UNIT_PATH={self.units}", "SYSTEMD_GENERATOR_PATH=/run/lab/none", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
             "/lib/systemd/systemd", "--system", "--unit=lab.target", "--log-target=console", "--show-status=no"),
            stdin=subprocess.DEVNULL, start_new_session=True,
        )
        self.pid, _ = wait_for(self.find, 10, "unshare starts no systemd")
        wait_for(
            lambda: self.systemctl("show", "-p", "Version", check=False).startswith("Version="), 30,
            "systemd does not answer: see the machine's console", 0.5,
        )
        return self

    def find(self):
        """The manager's PID outside its namespace."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        return int(children[0]) if children else None

    def __exit__(self, kind, error, trace):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def inside(self, *command, check=True):
        """Runs a command in the manager's namespaces."""
        return devices.run("nsenter", "--target", str(self.pid), "--pid", "--mount", *command, seconds=100, check=check)

    def systemctl(self, *arguments, check=True):
        """Runs systemctl inside the namespace, the only place from where it works."""
        return self.inside("systemctl", *arguments, check=check)

    def add(self, *units):
        """Adds units of ours or of the system, before the boot."""
        for unit in units:
            ours = f"{REPOSITORY}/systemd/{unit}"
            shutil.copy(ours if os.path.exists(ours) else f"/lib/systemd/system/{unit}", self.units)

    def results(self):
        """Results of the service's runs, in order."""
        try:
            with open("/run/lab/results", encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def show(self, name):
        """A property of perchd's service."""
        return self.systemctl("show", "perchd.service", "-p", name).strip().partition("=")[2]
