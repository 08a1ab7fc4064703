"""Recordings on a disk of their own that becomes full, turns read-only, and answers EIO: live goes on, the user is told, and the same
recording goes on with a gap when the disk works again."""

import os

from lab import disk, recording
from lab.failure import require

SECONDS = 240


def guest(lab):
    words = []
    with disk.FailingDisk(lab, "ext4") as card:
        with recording.Recorded(lab, card) as recorded:
            recorded.grows()

            def harmed(what, strike, mend, *told):
                """Causes a fault, checks that it is reported and that live continues, and repairs it."""
                strike()
                trouble = recorded.tells(*told)
                recorded.live_goes_on()
                length = recorded.milliseconds()
                mend()
                took = recorded.is_well_again()
                require(recorded.milliseconds() > length, f"{what}: the recording began anew")
                words.append(f"{what}: goes on after {took:.1f} s")
                return trouble

            # A stall of ten seconds loses nothing: the pictures wait in memory.
            jumps = recorded.jumps()
            card.delay_writes(60_000)
            recorded.live_goes_on(10)
            card.work()
            recorded.grows(by=10_000)
            require(recorded.jumps() == jumps, f"pictures are missing after a stall of 10 s: {recorded.state()}")
            warnings = recorded.ask("GET", "/api/v1/system")["warnings"]
            require(any("took no writes for" in words for words in warnings), f"the page does not say that the disk is slow: {warnings}")
            require("took no writes for" in recorded.log(), "the log does not say that the disk is slow")
            words.append("10 s without writes: nothing is missing")

            filler = []
            harmed("full", lambda: filler.append(card.fill()), lambda: os.remove(filler[0]), "no room left")
            harmed("read-only", disk.read_only, card.is_writable, "can only be read")

            def mount_again():
                card.work()
                card.unmount()
                card.mount()

            harmed("EIO for writes", card.refuse_writes, mount_again, "does not take it", "can only be read")

            def unreadable():
                card.refuse_everything()
                status, _ = recorded.perchd.get(f"/media/{recorded.stream}/1.mp4")
                require(status != 200, "a disk that cannot be read gave the recording")

            harmed("EIO for everything", unreadable, mount_again, "does not take it", "can only be read")
            recorded.live_goes_on(1)
            recorded.stop()
            length = recorded.milliseconds()
        recorded.is_whole()
        require(len(card.files()) == 1, f"one recording, one file: {card.files()}")
        recorded.keep()
    words.append(f"{length / 1000:.1f} s recorded")
    return "; ".join(words)


def check(lab):
    pictures, seconds = recording.plays(lab)
    return f"{pictures} pictures, {seconds:.1f} s play"
