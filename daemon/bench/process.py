"""Processes that the bench starts: they are always stopped, and their cost is measured (proc(5)).

Not here: anything about a particular program.
"""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_SCHEDULER_CLOCK = 2
"""CPUCLOCK_SCHED: which of a process's clocks, in the lowest bits of its number (include/linux/posix-timers_types.h)."""
OPEN_FILES = 8192
"""File descriptors allowed to every started process: a thousand connections and some more."""


@contextlib.contextmanager
def running(argv: list[str], log: Path, **popen: object) -> Iterator[subprocess.Popen]:
    """Runs `argv` in a process group of its own while the block lasts; its output goes to `log`. TERM, and KILL after five seconds."""
    with log.open("ab") as output:
        popen.setdefault("stdout", output)
        process = subprocess.Popen(argv, stderr=output, start_new_session=True, preexec_fn=_raise_open_files, **popen)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """Ends a process group started by `running`: with TERM, then with KILL."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return


def _raise_open_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cpu_of_run(argv: list[str]) -> float:
    """Runs `argv` to its end; returns its user + system seconds, including its children's."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    complaint = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}: {complaint.decode(errors='replace').strip()[-400:]}")
    return used.ru_utime + used.ru_stime


def cpu_seconds(pids: list[int]) -> float:
    """User + system time of these processes so far, with all threads and without children, in the kernel's nanoseconds
    (clock_getcpuclockid(3)). The hundredths of a second in /proc would be a tenth of what is measured here."""
    return sum(time.clock_gettime(~pid << 3 | _SCHEDULER_CLOCK) for pid in pids)


def wake_ups(pids: list[int]) -> int:
    """How often the threads of these processes have waited so far (voluntary context switches)."""
    total = 0
    for status in (path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/status")):
        with contextlib.suppress(OSError):  # it has ended
            total += int(status.read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return total


def memory(pids: list[int]) -> tuple[int, int]:
    """Present resident bytes, as (RSS, PSS) summed over the processes. Their memory files (memfd_create(2)) count fully, mapped or
    not: they are the processes' memory, but RSS leaves most of it out."""
    rss = pss = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        files = _memory_files(pid)
        rss += (kilobytes["Rss"] - int(status["RssShmem"].split()[0])) * 1024 + files
        pss += (kilobytes["Pss"] - kilobytes["Pss_Shmem"]) * 1024 + files
    return rss, pss


def _memory_files(pid: int) -> int:
    """Bytes in memory of the memory files that a process has open."""
    allocated = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(descriptor).startswith("/memfd:"):
                file = os.stat(descriptor)
                allocated[file.st_ino] = file.st_blocks * 512
    return sum(allocated.values())


def family(pid: int) -> list[int]:
    """A process and its children (nginx: the master and its workers)."""
    members = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                members.append(int(stat.parent.name))
    return members


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until(what: str, ready, seconds: float, process: subprocess.Popen, log: Path) -> None:
    """Calls `ready()` ten times a second until it is true; the error contains the process's output if it dies or is too slow."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if ready():
                return
        if process.poll() is not None or time.monotonic() > deadline:
            state = f"ended with {process.returncode}" if process.returncode is not None else f"was not there within {seconds:.0f} s"
            raise RuntimeError(f"{what} {state}; its log ends: {log.read_text(errors='replace').strip()[-600:]}")
        time.sleep(0.1)
