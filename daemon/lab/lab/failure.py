"""How a scenario says what went wrong, and how it waits: always with a deadline, on the guest's own clock."""

import time


class Failure(Exception):
    """A scenario did not see what it has to see. The text says what was seen instead."""


def require(holds, words):
    """Fails with `words` unless `holds`."""
    if not holds:
        raise Failure(words)


def wait_for(look, seconds, words, pause=0.1):
    """Calls `look` until it gives something true, and gives that back with the seconds it took.

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
