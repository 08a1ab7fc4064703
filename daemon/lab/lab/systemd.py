"""A real systemd as PID 1, of a namespace of its own inside the virtual machine, that runs perchd by the unit we ship."""

import os
import shutil
import signal
import subprocess

from . import devices
from .failure import wait_for

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# Only what differs in the lab from a board: where the program and its configuration are, and that nobody can be added to /etc/passwd.
DROP_IN = """
[Unit]
DefaultDependencies=no
[Service]
User=nobody
Group=nogroup
ExecStart=
ExecStart=/run/lab/perchd --config /run/lab/perch.toml
StandardOutput=append:{log}
StandardError=append:{log}
"""


class Systemd:
    """Boots in `with`, is killed at its end with all that it runs."""

    def __init__(self, lab, config):
        self.units = "/run/lab/units"
        shutil.rmtree("/run/lab", ignore_errors=True)
        os.makedirs(f"{self.units}/perchd.service.d")
        shutil.copy(lab.perchd, "/run/lab/perchd")
        shutil.copy(config, "/run/lab/perch.toml")
        shutil.copy(f"{REPOSITORY}/systemd/perchd.service", self.units)
        with open(f"{self.units}/perchd.service.d/lab.conf", "w", encoding="utf-8") as file:
            file.write(DROP_IN.format(log="/run/lab/perchd.log"))
        with open(f"{self.units}/lab.target", "w", encoding="utf-8") as file:
            file.write("[Unit]\nDescription=Nothing but the manager\nDefaultDependencies=no\n")
        self.log = f"{lab.out}/systemd.log"
        self.process = None

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ("unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "env", "-i", "container=lab",
                 f"SYSTEMD_UNIT_PATH={self.units}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                 "/lib/systemd/systemd", "--system", "--unit=lab.target", "--log-target=console", "--log-level=info",
                 "--show-status=no"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        wait_for(
            lambda: self.systemctl("show", "-p", "Version", check=False).startswith("Version="), 30, lambda: f"systemd does not answer: {self.words()}"
        )
        return self

    def __exit__(self, kind, error, trace):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def words(self):
        """The end of its log."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-5:])[-600:]

    def systemctl(self, *arguments, check=True):
        """Talks to it."""
        return devices.run("systemctl", *arguments, seconds=100, check=check)

    def show(self, name):
        """A property of perchd's service."""
        return self.systemctl("show", "perchd.service", "-p", name).strip().partition("=")[2]
