"""Prints a line for each scenario, and the totals as the last line: report.py OUT SCENARIO... SECONDS"""

import json
import os
import sys


def read(path):
    """A scenario's result, or None."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def main():
    """Prints the report; the exit code is 1 after a failure."""
    out, *scenarios, seconds = sys.argv[1:]
    failed = 0
    for name in scenarios:
        guest = read(os.path.join(out, name, "guest.json")) or {
            "passed": False, "seconds": 0, "words": f"never ran: see {out}/machine-*.log",
        }
        host = read(os.path.join(out, name, "host.json")) or {"passed": True, "words": ""}
        passed = guest["passed"] and host["passed"]
        words = "; ".join(words for words in (guest["words"], host["words"]) if words)
        print(f"{'ok  ' if passed else 'FAIL'} {name} ({guest['seconds']} s of the guest's) {words}")
        failed += not passed
    if failed:
        print(f"logs and pictures: {out}")
    print(f"the lab took {seconds} s")
    print(f"{len(scenarios) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
