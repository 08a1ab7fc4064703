"""A disk with recordings is pulled while one of them is watched and another one grows, and comes back: live goes on, the user is told, the
recording that grew goes on with a gap, and the other one can be watched again."""

from lab import disk, recording
from lab.failure import require

SECONDS = 180


def guest(lab):
    words = []
    with disk.PulledDisk(lab, "ext4") as stick:
        with recording.Recorded(lab, stick) as recorded:
            recorded.grows()
            recorded.stop()
            watched = recording.Watched(recorded)
            before = watched.last_seconds()
            recorded.go_live()
            recorded.grows()
            for time in ("once", "again"):
                stick.pull()
                disk.forget_cached()
                trouble = recorded.tells("does not take it", "can only be read", "is not there")
                recorded.live_goes_on()
                watched.has_ended()
                length = recorded.milliseconds()
                stick.put_back()
                took = recorded.is_well_again()
                require(recorded.milliseconds() > length, "the recording began anew")
                require(watched.last_seconds() == before, "the recording that was watched has other bytes than before")
                words.append(f"pulled {time}: goes on after {took:.1f} s")
            recorded.stop()
        recorded.is_whole()
        require(len(stick.files()) == 2, f"two recordings, two files: {stick.files()}")
        recorded.keep()
    return "; ".join([*words, trouble])


def check(lab):
    pictures, seconds = recording.plays(lab)
    return f"{pictures} pictures, {seconds:.1f} s play"
