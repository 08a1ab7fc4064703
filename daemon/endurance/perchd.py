"""perchd for as long as a campaign lasts: started with the memory budget of the shipped unit, set up, asked over HTTP, and looked at in /proc."""

import contextlib
import http.client
import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = REPOSITORY / "systemd/perchd.service"
MIB = 1 << 20

# perchd reads its budget from its control group. A campaign gets one that says what the unit says: files in a file system that only this process sees. The kernel
# enforces nothing by them; the campaign compares.
_IN_A_GROUP = """
mount -t tmpfs tmpfs /sys/fs/cgroup
path=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir -p "$path"
echo {high} > "$path/memory.high"
echo {most} > "$path/memory.max"
exec "$@"
"""


def limits_of_the_unit() -> tuple[int, int]:
    """MemoryHigh= and MemoryMax= in bytes."""
    found = dict(re.findall(r"^Memory(High|Max)=(\d+)M$", UNIT.read_text(), re.MULTILINE))
    return int(found["High"]) * MIB, int(found["Max"]) * MIB


class Perchd:
    """A running perchd, and its owner's login."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process, self.port = process, port
        self.token = ""
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def ask(self, method: str, path: str, body: object = None, from_address: str = "127.0.0.1") -> tuple[int, bytes]:
        """Status and body; on a connection that is kept, as a browser keeps it."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connections.setdefault(from_address, http.client.HTTPConnection("127.0.0.1", self.port, 60, (from_address, 0)))
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def must(self, method: str, path: str, body: object = None, from_address: str = "127.0.0.1") -> bytes:
        """The same, and it succeeds."""
        status, answer = self.ask(method, path, body, from_address)
        if status >= 300:
            raise SystemExit(f"FAIL {method} {path}: {status} {answer[:300]!r}")
        return answer

    def set_up(self, data: Path) -> None:
        """Makes the owner's account."""
        code = (data / "setup-code").read_text().strip()
        account = {"setup_code": code, "username": "olive", "password": "correct horse battery"}
        self.token = json.loads(self.must("POST", "/api/v1/setup", account))["access_token"]

    def metric(self, name: str) -> int:
        """The sum of a metric over its labels."""
        lines = self.must("GET", "/metrics").decode().splitlines()
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith(f"perch_{name}"))

    def untaken(self) -> int:
        """Bytes that wait in the kernel until the far ends take them, also of connections that perchd has closed."""
        port = f":{self.port:04X}"
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(int(words[4].split(":")[0], 16) for words in sockets if words[1].endswith(port) and words[3] != "0A")

    def memory(self) -> tuple[int, int]:
        """Bytes of its own memory, and bytes that lie in the kernel for it (memfd), counted once each."""
        folder = Path(f"/proc/{self.process.pid}")
        own = next(int(line.split()[1]) << 10 for line in (folder / "status").read_text().splitlines() if line.startswith("RssAnon:"))
        kernel: dict[int, int] = {}
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(descriptor).startswith("/memfd:"):
                    found = descriptor.stat()
                    kernel[found.st_ino] = found.st_blocks * 512
        return own, sum(kernel.values())


@contextlib.contextmanager
def running(perchd: Path, folder: Path, config: str) -> Iterator[Perchd]:
    """perchd with `config`, its data in `folder`; set up."""
    high, most = limits_of_the_unit()
    file, log, data = folder / "perch.toml", folder / "perchd.log", folder / "data"
    file.write_text(config)
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    script = _IN_A_GROUP.format(high=high, most=most)
    command = [str(perchd.resolve()), "--config", str(file), "--data-dir", str(data), "--listen", "127.0.0.1:0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERCH_")}
    with log.open("wb") as output:
        process = subprocess.Popen(["unshare", *namespaces, "sh", "-ec", script, "sh", *command], stderr=output, env=environment)
    try:
        found = None
        until = time.monotonic() + 30
        while not found:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"FAIL perchd does not start:\n{log.read_text()}")
            time.sleep(0.05)
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text())
        daemon = Perchd(process, int(found[1]))
        daemon.set_up(data)
        yield daemon
    except BaseException:
        print(*log.read_text().splitlines()[-20:], sep="\n")
        raise
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(25)
        process.kill()


def milliseconds(times: list[float]) -> str:
    """Median and worst of answers, in words."""
    return f"median {statistics.median(times) * 1000:.1f} ms, worst {max(times) * 1000:.1f} ms of {len(times)}"


def mib(size: float) -> str:
    """Bytes in words."""
    return f"{size / MIB:.1f} MiB"
