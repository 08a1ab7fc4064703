"""The report: one line for each test and its result."""

import resource
import time
import traceback
from collections.abc import Callable

from machine import Failure


class Report:
    """Counts results, and lists what the time limit left out."""

    def __init__(self, minutes: float | None = None) -> None:
        self.began = time.monotonic()
        self.minutes = minutes
        self.not_tried: list[str] = []
        self.passed = self.failed = 0
        self.lines: list[str] = []

    def attempt(self, name: str, what: Callable[[], str]) -> bool:
        """Runs one test and prints its result."""
        began = time.monotonic()
        try:
            said, mark = what(), "ok  "
            self.passed += 1
        except Exception as error:
            if not isinstance(error, Failure):
                traceback.print_exc()
            said, mark = f"{type(error).__name__}: {error}", "FAIL"
            self.failed += 1
        self.lines.append(f"{mark} {name} ({time.monotonic() - began:.0f} s) {said}")
        print(self.lines[-1], flush=True)
        return mark == "ok  "

    def has_time_for(self, what: str, seconds: float) -> bool:
        """True if the remaining time is enough for `what`, by experience; if not, the last lines name it."""
        fits = self.minutes is None or time.monotonic() + seconds < self.began + 60 * self.minutes
        if not fits:
            self.not_tried.append(what)
        return fits

    def end(self) -> int:
        """Prints the last lines; returns the exit code."""
        for what in self.not_tried:
            print(f"NOT TRIED, for it does not fit into {self.minutes:.0f} minutes here: {what}")
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{(time.monotonic() - self.began) / 60:.1f} minutes, {(used.ru_utime + used.ru_stime) / 60:.1f} of a processor's")
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
