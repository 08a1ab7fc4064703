"""Failures of scenarios, and waiting: always with a deadline, on the guest's clock."""

import time


class Failure(Exception):
    """A scenario did not see what it expected. The text says what it saw instead."""


def require(holds, words):
    """Fails with `words` unless `holds`."""
    if not holds:
        raise Failure(words)


def wait_for(look, seconds, words, pause=0.1):
    """Calls `look` until it returns something true; returns that with the seconds it took.

    `words` say what was waited for; a function is called for them, to say what is there instead.
    """
    began = time.monotonic()
    while True:
        seen = look()
        took = time.monotonic() - began
        if seen:
            return seen, took
        if took > seconds:
            raise Failure(f"{words() if callable(words) else words} (waited {took:.1f} s)")
        time.sleep(pause)
