"""Runs scenarios: the guest's half in the virtual machine, then the host's half on the files that the first one saved.

A scenario is a file scenarios/NN_name.py with a docstring and
  prepare(lab)  optional; runs on the host before, where x264 is fast, and leaves files in lab.out
  guest(lab)  runs in the virtual machine as root; raises Failure; may give back a few words
  check(lab)  optional; runs on the host afterwards, where ffmpeg is fast, on the files in lab.out
  SECONDS, CHECK_SECONDS  optional; how long the guest's half may take (120), and the host's (300)

    python3 -m lab.runner prepare|guest|host --out FOLDER --perchd FILE --tools FOLDER SCENARIO...

Results are files: OUT/NAME/guest.json and OUT/NAME/host.json. The guest's is written before the scenario begins, too, so that the host
sees which scenario a virtual machine died of.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
import traceback

from . import devices, disk, gpio
from .failure import Failure


@dataclasses.dataclass
class Lab:
    """The argument of a scenario."""

    name: str
    out: str
    """Folder for files that the host needs: logs, pictures, segments."""
    perchd: str
    """The daemon's program."""
    tools: str
    """Folder with the lab's other programs: perch-device's examples."""
    scratch: str = ""
    """Folder that disappears with the virtual machine."""


def load(name):
    """The scenario's module."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenarios")
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def attempt(half, lab, seconds):
    """Runs one half; returns its result."""

    def too_long(_signal, _frame):
        raise Failure(f"no end after {seconds} s")

    signal.signal(signal.SIGALRM, too_long)
    began = time.monotonic()
    passed = False
    try:
        signal.alarm(seconds)
        words = half(lab) or ""
        passed = True
    except Failure as failure:
        words = str(failure)
    except Exception:  # pylint: disable=broad-except
        words = traceback.format_exc(limit=-3).strip().replace("\n", " | ")
    finally:
        signal.alarm(0)
    return {"passed": passed, "seconds": round(time.monotonic() - began, 1), "words": words}


def write(path, result):
    """Writes and syncs it, in case the machine dies right afterwards."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(result, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def main():
    """Runs the scenarios given on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("half", choices=["prepare", "guest", "host"])
    parser.add_argument("--out", required=True)
    parser.add_argument("--perchd", required=True)
    parser.add_argument("--tools", default="")
    parser.add_argument("scenario", nargs="+")
    options = parser.parse_args()
    for name in options.scenario:
        out = os.path.join(options.out, name)
        os.makedirs(out, exist_ok=True)
        result = os.path.join(out, f"{options.half}.json")
        lab = Lab(name, out, options.perchd, options.tools)
        module = load(name)
        if options.half == "prepare":
            if hasattr(module, "prepare"):
                module.prepare(lab)
            continue
        if options.half == "host":
            if hasattr(module, "check"):
                write(result, attempt(module.check, lab, getattr(module, "CHECK_SECONDS", 300)))
            continue
        write(result, {"passed": False, "seconds": 0, "words": "the virtual machine died of it"})
        gpio.remove_all()
        devices.unload_all()
        disk.remove_all()
        with tempfile.TemporaryDirectory(dir="/tmp") as lab.scratch:
            outcome = attempt(module.guest, lab, getattr(module, "SECONDS", 120))
        if not outcome["passed"]:
            os.system(f"dmesg | tail -n 60 >{out}/dmesg.txt")
        write(result, outcome)
        print(f"  [{time.monotonic():6.1f} s] {name}: {'done' if outcome['passed'] else 'FAILED'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
