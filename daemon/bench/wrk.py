"""One round of load by wrk, on loopback."""

import json
import os
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

_REPORT = Path(__file__).with_name("wrk_report.lua")


@dataclass
class Round:
    """wrk's result."""

    requests: int
    bytes: int
    seconds: float
    errors: int
    """Failed connections, responses other than 200, and responses that took over five seconds."""
    p99_milliseconds: float
    cpu_seconds: float = 0
    """wrk's own."""


def load(url: str, connections: int, seconds: int, headers: dict[str, str] | None = None) -> Round:
    """Requests `url` repeatedly over `connections` kept-alive connections."""
    threads = min(os.cpu_count() or 1, 2, connections)
    argv = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", str(_REPORT)]
    for name, value in (headers or {}).items():
        argv += ["-H", f"{name}: {value}"]
    argv.append(url)
    used = _cpu_of_children()
    run = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30, check=False)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode != 0 or not lines:
        raise RuntimeError(f"wrk failed: {(run.stderr or run.stdout).strip()[-400:]}")
    said = json.loads(lines[-1])
    used = _cpu_of_children() - used
    return Round(said["requests"], said["bytes"], said["microseconds"] / 1e6, said["errors"], said["p99_microseconds"] / 1e3, used)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
