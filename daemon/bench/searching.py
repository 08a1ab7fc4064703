"""Lists and searches in a store of 10,000 streams, and the cost of writing a chat: perch-store's example, without a peer."""

import os
import re
import subprocess
from pathlib import Path

from table import Result, Row

_LINE = re.compile(r"^(.+?) {2,}(\S+) best, +(\S+) median, +(\S+) worst")
_UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
MOST_SECONDS = 0.020
"""Target for a page of results: an unnoticeable delay."""


def measure(example: Path, folder: Path) -> Result:
    """Runs the example with its store in `folder`."""
    folder.mkdir()
    run = subprocess.run([str(example)], env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True, timeout=600, check=True)
    result = Result("10,000 streams in the store", "")
    result.rows = rows(run.stdout)
    if not result.rows:
        raise RuntimeError(f"{example.name} said nothing that can be read: {run.stdout[-400:]}")
    result.notes = ["Medians, the store in a file system in memory. Lists: a page of 20, by 500 users, titles of 4,000 words. Writing: one commit, which on a card also waits for the card."]
    return result


def rows(said: str) -> list[Row]:
    """A row for every line with times; reads have a target, writes depend on the card."""
    found = (_LINE.match(line) for line in said.splitlines())
    return [_row(*match.groups()) for match in found if match]


def _row(what: str, best: str, median: str, worst: str) -> Row:
    text = f"{median} ({best} to {worst})"
    if "commit" in what:
        return Row(what, text, "")
    return Row(what, text, "", "", f"≤ {MOST_SECONDS * 1e3:.0f} ms", seconds(median) <= MOST_SECONDS)


def seconds(duration: str) -> float:
    """Parses durations as Rust writes them: `1.62ms`."""
    number, unit = re.fullmatch(r"([\d.]+)(ns|µs|ms|s)", duration).groups()
    return float(number) * _UNITS[unit]
