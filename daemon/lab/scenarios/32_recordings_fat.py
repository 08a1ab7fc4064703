"""Recordings on FAT and exFAT: recorded, watched, downloaded and deleted under a name with umlauts; they go on after errors of the disk that
nobody had to mount anew, and after a power cut."""

import dataclasses
import os
import shutil

from lab import devices, disk, fat, recording
from lab.failure import require, wait_for

SECONDS = 300
TITLE = 'Nistkästchen "Öl/Ähre"?'
ROLL_OVER = 3_900_000_000
CHECK = {"vfat": ("fsck.vfat", "-n"), "exfat": ("fsck.exfat", "-n")}


def guest(lab):
    words = []
    for kind in ("vfat", "exfat"):
        own = dataclasses.replace(lab, scratch=f"{lab.scratch}/{kind}", out=f"{lab.out}/{kind}")
        os.makedirs(own.scratch)
        os.makedirs(own.out, exist_ok=True)
        with disk.FailingDisk(own, kind, 4300 if kind == "vfat" else 64) as card:
            words.append(f"{kind}: {on(own, card)}")
        devices.unload_all()
    return "; ".join(words)


def on(lab, card):
    """All steps in the life of recordings on one disk."""
    with recording.Recorded(lab, card, TITLE) as recorded:
        recorded.grows(by=3000)
        (name,) = (os.path.basename(path) for path in card.files())
        require("Nistkästchen Öl Ähre" in name, f"the recording is named {name}")
        recording.Watched(recorded, ended=False).last_seconds()
        recorded.stop()
        watched = recording.Watched(recorded)
        whole = watched.whole()
        with open(card.files()[0], "rb") as file:
            require(file.read().endswith(whole[-1000:]), "the download does not end as the file does")
        with open(f"{lab.out}/download.mp4", "wb") as file:
            file.write(whole)
        # A recording that has ended can be restored for a while; a growing one is removed at once.
        kept = sorted(os.listdir(card.folder))
        recorded.go_live()
        recorded.grows(by=1000)
        recorded.ask("DELETE", f"/api/v1/recordings/{recorded.stream}")
        require(sorted(os.listdir(card.folder)) == kept, f"after deleting there is {os.listdir(card.folder)}")
        recorded.stop()

        recorded.go_live()
        recorded.grows()
        card.refuse_writes()
        recorded.tells("does not take it", "can only be read")
        recorded.live_goes_on()
        card.work()
        took = recorded.is_well_again()
        recorded.stop()
        recorded.perchd.stop()
        card.unmount()
        devices.run(*CHECK[card.kind], card.device)
        card.mount()
        recorded.is_whole()

        recorded.perchd.start()
        recorded.is_back()
        recorded.go_live()
        recorded.grows()
        length = recorded.milliseconds()
        card.lose_writes()
        recorded.perchd.process.kill()
        recorded.perchd.process.wait(10)
        card.unmount()
        card.work()
        card.mount()
        recorded.perchd.start()
        recorded.is_back()
        recorded.perchd.wait_live(30)
        recorded.grows()
        lost = length + 2000 - recorded.milliseconds()
        require(lost <= 4000, f"the power cut took {lost} ms of the recording: {recorded.state()}")
        recorded.stop()
        recorded.perchd.stop()
        recorded.is_whole()
        recorded.keep()
        require(len(card.files()) == 3, f"three recordings, three files: {card.files()}")
        words = f"goes on {took:.1f} s after errors"
        if card.kind == "vfat":
            words += f", {rolls_over(recorded, card)}"
    return words


def rolls_over(recorded, card):
    """A recording that reaches 3.9 GB continues in a second part, and is watched across both."""
    recorded.perchd.start()
    recorded.is_back()
    for item in recorded.ask("GET", "/api/v1/recordings")["items"]:
        recorded.ask("DELETE", f"/api/v1/recordings/{item['stream']}")
    # A restart removes the files of deleted recordings.
    recorded.perchd.stop()
    recorded.perchd.start()
    recorded.is_back()
    wait_for(lambda: not os.listdir(card.folder), 10, lambda: f"after deleting there is {os.listdir(card.folder)}")
    recorded.go_live()
    recorded.grows()
    recorded.perchd.process.kill()
    recorded.perchd.process.wait(10)
    (media,), (index,) = card.files(), card.files("index")
    long = fat.Long(media, index, ROLL_OVER - 400_000)
    card.unmount()
    fat.lengthen(card.device, b"MP4", long.size)
    card.mount()
    long.write(media, index)
    recorded.perchd.start()
    recorded.is_back()
    recorded.perchd.wait_live(30)
    wait_for(lambda: len(card.files()) == 2, 30, lambda: f"no second part: {recorded.say()}")
    recorded.grows()
    sizes = sorted(os.path.getsize(path) for path in card.files())
    require(ROLL_OVER <= sizes[1] < ROLL_OVER + 2_000_000, f"the parts have {sizes} bytes")
    recorded.stop()
    recording.Watched(recorded, part=2).last_seconds()
    recorded.perchd.stop()
    return f"rolls over at {sizes[1]} bytes"


def check(lab):
    words = []
    for kind in ("vfat", "exfat"):
        own = dataclasses.replace(lab, out=f"{lab.out}/{kind}")
        shutil.move(f"{own.out}/download.mp4", f"{own.out}/recordings/")
        pictures, seconds = recording.plays(own)
        words.append(f"{kind}: {pictures} pictures, {seconds:.1f} s play")
    return "; ".join(words)
