"""The machine's clock is set by 20 years in the middle of a recording, and perchd is started again with it: nothing is deleted for its age,
the recording has its length, a name with a date of either clock, and files that bear it, and the stream goes on."""

import time

from lab import devices, disk, recording
from lab.failure import require

SECONDS = 120


def guest(lab):
    began, since = time.time(), time.monotonic()
    with disk.FailingDisk(lab, "ext4") as card:
        recorded = recording.Recorded(lab, card)
        recorded.perchd.environment["PERCH_RECORDING_KEEP_DAYS"] = "30"
        try:
            with recorded:
                recorded.grows()
                recorded.stop()
                old = recorded.stream
                recorded.go_live()
                recorded.grows()
                name = recorded.state()["name"]
                devices.run("date", "--set", "20 years")
                recorded.is_back()
                recorded.live_goes_on()
                recorded.grows()
                recorded.perchd.stop()
                recorded.perchd.start()
                recorded.is_back()
                recorded.perchd.wait_live(30)
                recorded.grows()
                state = recorded.state()
                took = time.monotonic() - since
                # Perch trusts a clock that was set, and corrects the dates of earlier recordings.
                year, future = int(name[:4]), int(state["name"][:4])
                require(future in (year, year + 20) and state["name"][-6:] == name[-6:], f"its name is {state['name']}, it was {name}")
                require(state["duration_seconds"] < took, f"{state['duration_seconds']} s were recorded in {took:.1f} s")
                items = recorded.ask("GET", "/api/v1/recordings")["items"]
                require({item["stream"] for item in items} == {old, recorded.stream}, f"there is {items}")
                recorded.stop()
        finally:
            devices.run("date", "--set", f"@{began + time.monotonic() - since:.0f}")
        recorded.is_whole()
        recorded.keep()
    return f"{state['duration_seconds']:.1f} s recorded, nothing deleted"


def check(lab):
    pictures, seconds = recording.plays(lab)
    return f"{pictures} pictures, {seconds:.1f} s play"
