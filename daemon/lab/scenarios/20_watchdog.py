"""systemd's watchdog, with the shipped unit and a real systemd: the daemon is stopped, then only its capture thread; both
lead to a restart that resumes the stream. Port 80, which systemd binds, stays open throughout and closes with the service."""

import http.client
import os
import signal
import time

from lab import devices, threads
from lab.daemon import Perchd
from lab.failure import require, wait_for
from lab.systemd import Systemd

SECONDS = 240


def process():
    """The daemon's PID outside the namespace."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe").startswith("/run/lab/perchd"):
                return int(pid)
        except OSError:
            continue
    return None


def port_80():
    """HTTP status on the socket that systemd passes on; 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def guest(lab):
    node = devices.camera()
    devices.encoder(formats=2)
    # systemd starts the daemon; this object only writes the configuration and watches.
    perchd = Perchd(lab, device=node, encoder="v4l2-m2m")
    with open(perchd.config, encoding="utf-8") as file:
        text = file.read().replace(perchd.data, "/var/lib/perch")
    with open(perchd.config, "w", encoding="utf-8") as file:
        file.write(text)
    words = []
    with Systemd(lab, perchd.config) as systemd:
        try:
            perchd.log = "/run/lab/perchd.log"
            # Type=notify: this returns after READY=1.
            systemd.systemctl("start", "perchd.service")
            require(perchd.get("/readyz")[0] == 200, "READY=1 was said before /readyz is 200")
            require(port_80() == 200, "nobody answers on port 80, which perchd.socket has")
            require("live:" in systemd.show("StatusText"), f"STATUS= is {systemd.show('StatusText')!r}")
            words.append(f"STATUS={systemd.show('StatusText')}")

            def restarted(what, strike, undo=lambda: None):
                """Causes the fault and waits until the watchdog has ended the process and the stream is back."""
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
                require(port_80() == 200, f"{what}: nobody answers on port 80 any more")
                require(process() != pid, f"{what}: the same process goes on")
                words.append(f"{what}: live again after {time.monotonic() - began:.1f} s")

            restarted("SIGSTOP of the daemon", lambda pid: os.kill(pid, signal.SIGSTOP))
            stopped = []

            def stop_capture(pid):
                stopped.append(threads.thread(pid, "capture-front"))
                threads.stop(stopped[0])

            restarted("capture thread stopped", stop_capture, lambda: threads.reap(stopped[0]))
            systemd.systemctl("stop", "perchd.service")
            require(port_80() == 0, "somebody listens on port 80 after perchd was stopped, and would start it again")
            require(systemd.results() == ["watchdog", "watchdog", "success"], f"the service's runs ended with {systemd.results()}")
        finally:
            devices.run("cp", "/run/lab/perchd.log", f"{lab.out}/perchd.log", check=False)
    return "; ".join(words)
