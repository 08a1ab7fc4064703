"""The site beside the stream: API reads a second, logins a second, and the effect of password hashing on the stream. There is no peer: except for the
stream's, the rows are for orientation.
"""

import http.client
import json
import statistics
import threading
import time

import listing
import process
import wrk
from perch import ACCOUNT, Perch
from table import Result, Row, milliseconds

CONNECTIONS = 32
SECONDS = 5
PEOPLE = 4
"""People who log in repeatedly at the same time."""
MOST_DELAY = 0.010
"""Seconds that logins may add to the listing of a segment."""


def measure(perch: Perch) -> Result:
    """Needs a site that has not been set up."""
    token = perch.set_up()
    result = Result("The site beside the stream", "")
    reads = {
        "settings, anonymous": ("/api/v1/settings", {}),
        "newest streams, anonymous": ("/api/v1/streams", {}),
        "own account, logged in": ("/api/v1/me", {"Authorization": f"Bearer {token}"}),
    }
    for what, (path, headers) in reads.items():
        result.rows.append(_reads(perch, what, path, headers))
    result.rows += _logins(perch)
    result.notes = [
        f"Reads: wrk over {CONNECTIONS} kept-alive connections, {SECONDS} s each, every answer out of the store. Logins: {PEOPLE} people, one after the other each; Argon2id with 19 MiB and two passes, one hash at a time.",
        f"The stream: from an IDR to its segment being listed, seen by blocking reload, median of {listing.SEGMENTS} segments, before and during the logins.",
    ]
    return result


def _reads(perch: Perch, what: str, path: str, headers: dict[str, str]) -> Row:
    used = process.cpu_seconds(perch.pids)
    load = wrk.load(f"http://127.0.0.1:{perch.port}{path}", CONNECTIONS, SECONDS, headers)
    used = process.cpu_seconds(perch.pids) - used
    if load.errors or not load.requests:
        raise RuntimeError(f"{path}: {load.errors} errors in {load.requests} requests")
    return Row(f"reads: {what}", f"{load.requests / load.seconds:,.0f}/s, {used / load.requests * 1e6:.0f} µs, p99 {load.p99_milliseconds:.1f} ms", "")


def _logins(perch: Perch) -> list[Row]:
    quiet = statistics.median(listing.observe_perch(perch))
    stop, counts, errors = threading.Event(), [], []
    people = [threading.Thread(target=_log_in, args=(perch.port, stop, counts, errors)) for _ in range(PEOPLE)]
    used, began = process.cpu_seconds(perch.pids), time.monotonic()
    for person in people:
        person.start()
    try:
        busy = statistics.median(listing.observe_perch(perch))
    finally:
        stop.set()
        for person in people:
            person.join()
    seconds, used = time.monotonic() - began, process.cpu_seconds(perch.pids) - used
    if errors or not sum(counts):
        raise RuntimeError(f"logins: {errors[:1] or 'none succeeded'}")
    logins = sum(counts)
    added = busy - quiet
    return [
        Row("logins", f"{logins / seconds:.1f}/s, {used / logins * 1e3:.0f} ms of CPU each", ""),
        Row(
            "segment listed after its IDR, while people log in",
            f"{milliseconds(busy)}, without them {milliseconds(quiet)}",
            "",
            "",
            f"at most {milliseconds(MOST_DELAY)} more",
            added <= MOST_DELAY,
        ),
    ]


def _log_in(port: int, stop: threading.Event, counts: list[int], errors: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    done = 0
    while not stop.is_set():
        connection.request("POST", "/api/v1/auth/login", json.dumps(ACCOUNT), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            errors.append(f"{answer.status} {text.decode(errors='replace')[:200]}")
            break
        done += 1
    counts.append(done)
