"""systemd's watchdog, with the unit that we ship and a real systemd: the daemon is stopped, then only its capture thread; both
end in a restart that has the stream back."""

import os
import signal
import time

from lab import devices, threads
from lab.daemon import Perchd
from lab.failure import require, wait_for
from lab.systemd import Systemd

SECONDS = 240


def process():
    """PID of the daemon as this side of the namespace sees it."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe").startswith("/run/lab/perchd"):
                return int(pid)
        except OSError:
            continue
    return None


def guest(lab):
    node = devices.camera()
    devices.encoder(formats=2)
    # Not started here: systemd does. The object writes the configuration and watches.
    perchd = Perchd(lab, device=node, encoder="v4l2-m2m")
    with open(perchd.config, encoding="utf-8") as file:
        text = file.read().replace(perchd.data, "/var/lib/perch")
    with open(perchd.config, "w", encoding="utf-8") as file:
        file.write(text)
    words = []
    with Systemd(lab, perchd.config) as systemd:
        try:
            perchd.log = "/run/lab/perchd.log"
            # Type=notify: this comes back when READY=1 was said.
            systemd.systemctl("start", "perchd.service")
            require(perchd.get("/readyz")[0] == 200, "READY=1 was said before /readyz is 200")
            require("live:" in systemd.show("StatusText"), f"STATUS= is {systemd.show('StatusText')!r}")
            words.append(f"STATUS={systemd.show('StatusText')}")

            def restarted(what, strike, undo=lambda: None):
                """Strikes and waits until systemd has ended that process for the watchdog's sake and the stream is back."""
                ended, pid = len(systemd.results()), process()
                began = time.monotonic()
                strike(pid)

                def ended_by_watchdog():
                    undo()
                    return len(systemd.results()) > ended

                wait_for(
                    ended_by_watchdog, 60,
                    lambda: f"no restart after {what}: {systemd.show('ActiveState')}/{systemd.show('SubState')}", 0.5,
                )
                require(systemd.results()[-1] == "watchdog", f"{what}: the service ended with {systemd.results()}")
                wait_for(
                    lambda: systemd.show("ActiveState") == "active", 30,
                    lambda: f"not ready again after {what}: {systemd.show('ActiveState')}/{systemd.show('SubState')}", 0.5,
                )
                perchd.wait_live()
                require(process() != pid, f"{what}: the same process goes on")
                words.append(f"{what}: live again after {time.monotonic() - began:.1f} s")

            restarted("SIGSTOP of the daemon", lambda pid: os.kill(pid, signal.SIGSTOP))
            stopped = []

            def stop_capture(pid):
                stopped.append(threads.thread(pid, "capture-front"))
                threads.stop(stopped[0])

            restarted("capture thread stopped", stop_capture, lambda: threads.reap(stopped[0]))
            systemd.systemctl("stop", "perchd.service")
            require(systemd.results() == ["watchdog", "watchdog", "success"], f"the service's runs ended with {systemd.results()}")
        finally:
            devices.run("cp", "/run/lab/perchd.log", f"{lab.out}/perchd.log", check=False)
    return "; ".join(words)
