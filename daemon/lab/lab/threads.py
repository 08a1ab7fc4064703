"""Stops one thread of a process and leaves the others running, as a hang in a driver would: ptrace, through ctypes."""

import ctypes
import os

from .failure import Failure, require

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207


def thread(pid, name):
    """The process's only thread of that name (the kernel keeps 15 characters of it)."""
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as file:
            if file.read().strip() == name[:15]:
                found.append(int(tid))
    require(len(found) == 1, f"{len(found)} threads of process {pid} are named {name}")
    return found[0]


def stop(tid):
    """Stops the thread until this process ends or reaps it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, tid, None, None) != 0:
            raise Failure(f"ptrace of thread {tid}: {os.strerror(ctypes.get_errno())}")


def reap(tid):
    """Reaps the thread if it is dead; otherwise its tracer (we) would block the end of its process."""
    try:
        return os.waitpid(tid, os.WNOHANG | 0x40000000)[0] == tid  # __WALL
    except ChildProcessError:
        return True
