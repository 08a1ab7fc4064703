"""Replays a log of a disk's writes up to random entries, and checks what perchd recovers after each cut: `guest` in the machine, `judge` on the host."""

import json
import os
import random
import time

from . import block_log, cut_recordings, devices
from .failure import Failure, require

CARD_BYTES, LOG_BYTES = 128 << 20, 256 << 20
# The mount options of the image (image/root/etc/fstab).
OPTIONS = {"ext4": "noatime,commit=5", "f2fs": "noatime"}


def guest(lab, kind, cuts, seconds, seed):
    """Records for some seconds on a new file system of this type, and checks it after a number of cuts. The seed decides everything except the timing of
    threads."""
    chance = random.Random(f"{seed} {kind}")
    devices.load(kind)
    files = {name: f"{lab.scratch}/{kind}-{name}" for name in ("card", "durable", "log", "cut")}
    for name, size in (("card", CARD_BYTES), ("log", LOG_BYTES)):
        with open(files[name], "wb") as file:
            file.truncate(size)
    facts = _use(lab, kind, files, seconds, chance)
    os.unlink(files["card"])
    replay = block_log.Replay(files["log"], files["durable"])
    for number, cut in enumerate(_places(replay, len(facts), cuts, chance)):
        what = replay.cut(cut, files["cut"], chance)
        known = facts[:replay.marks(cut) + 1]
        folder = f"{lab.out}/{kind}-{number}"
        said = {"cut": f"{kind}, before entry {cut} of {len(replay.entries)}, {what}", "facts": known}
        with open(f"{folder}.facts", "w", encoding="utf-8") as file:
            json.dump(said, file)
        resume = chance.choice(("0", "600"))
        try:
            with block_log.loop(files["cut"]) as card, block_log.mounted(card, "/mnt", OPTIONS[kind]):
                with cut_recordings.daemon(lab, "/mnt/data", f"{kind}-{number}", PERCH_LIVE_RESUME_SECONDS=resume) as perchd:
                    cut_recordings.look(perchd, folder, [fact["stream"] for fact in known if "stream" in fact])
        except Failure as failure:
            # The other cuts are checked nevertheless.
            with open(f"{folder}.failure", "w", encoding="utf-8") as file:
                file.write(str(failure))
    return f"{len(facts)} facts in {len(replay.entries)} entries of {kind}"


def _use(lab, kind, files, seconds, chance):
    """Makes the file system and uses it; returns the facts, whose numbers are marks in the log."""
    with block_log.loop(files["card"]) as card:
        devices.run(f"mkfs.{kind}", "-q", card, seconds=60)
        with block_log.mounted(card, "/mnt", OPTIONS[kind]), cut_recordings.daemon(lab, "/mnt/data", f"{kind}-first") as perchd:
            cut_recordings.is_up(perchd)
            perchd.set_up()
        devices.run("cp", "--sparse=always", files["card"], files["durable"], seconds=60)
        facts = []
        with block_log.loop(files["log"]) as log, block_log.Logged(card, log) as logged:

            def note(fact):
                facts.append({**fact, "at": time.time()})
                logged.mark(len(facts) - 1)

            with block_log.mounted(logged.device, "/mnt", OPTIONS[kind]), cut_recordings.daemon(lab, "/mnt/data", f"{kind}-use") as perchd:
                cut_recordings.is_up(perchd)
                cut_recordings.use(perchd, cut_recordings.log_in(perchd), note, chance, seconds)
    return facts


def _places(replay, facts, cuts, chance):
    """Numbers of the entries before which the power fails, in order. Before three of four the disk has unflushed writes."""
    entries = replay.entries
    first, last = (next(index for index, entry in enumerate(entries) if entry.mark == mark) for mark in (0, facts - 1))
    every = range(first + 1, last + 1)
    unflushed = [index for index in every if entries[index - 1].flags & (block_log.FLUSH | block_log.FUA | block_log.MARK) == 0]
    require(unflushed, "the log has nothing but flushes")
    return sorted(chance.choice(every if number % 4 == 3 else unflushed) for number in range(cuts))


def judge(lab, kind, cuts):
    """On the host: (whether all is well, words) for each cut."""
    for number in range(cuts):
        folder = f"{lab.out}/{kind}-{number}"
        with open(f"{folder}.facts", encoding="utf-8") as file:
            said = json.load(file)
        words = said["cut"]
        try:
            if os.path.exists(f"{folder}.failure"):
                with open(f"{folder}.failure", encoding="utf-8") as file:
                    raise Failure(file.read())
            yield True, f"{words}: {cut_recordings.compare(said['facts'], folder)}"
        except Failure as failure:
            yield False, f"{words}: {failure}"
