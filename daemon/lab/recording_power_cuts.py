#!/usr/bin/env python3
"""Kills a virtual machine that records and chats at random moments, and checks at each next start what its card has kept:
`recording_power_cuts.py PERCHD KERNEL_ROOT [--rounds N] [--kinds ext4,f2fs] [--table FILE] [--seed N] [--keep FOLDER]`.

The machine is QEMU, killed with SIGKILL. Its card is `lab/lossy_card.py`, which loses a random part of what the machine had not flushed; its power goes at a
random write. Each start of the machine checks the cut before and is then cut itself; one of six is cut while perchd still recovers. A card is used for ten
cuts. The machine tells the host at once what the site has acknowledged.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from lab import cut_recordings, lossy_card, replays, small_machine
from lab.failure import Failure

CARD_BYTES = 256 << 20
CUTS_OF_A_CARD = 10
# Seconds of the host's clock: without KVM a machine on a busy host is slow.
START_SECONDS = 900
# Seconds of the machine's clock.
USE_SECONDS = (1, 12)
# The power goes at one of so many writes: those of some seconds of recording and chat.
MOST_WRITES = 30
# A machine that writes nothing for so long, on the host's clock, is killed without a write.
WRITE_SECONDS = 60


class Campaign:
    """Cards, each with a number of cuts."""

    def __init__(self, kind, folder, machine, chance):
        self.kind, self.folder, self.machine, self.chance = kind, folder, machine, chance
        self.card, self.out = f"{folder}/card", f"{folder}/out"
        self.cuts = CUTS_OF_A_CARD
        self.facts = []
        os.makedirs(folder, exist_ok=True)

    def new_card(self):
        """An empty one."""
        if os.path.exists(self.card):
            os.unlink(self.card)
        with open(self.card, "wb") as file:
            file.truncate(CARD_BYTES)
        subprocess.run((f"mkfs.{self.kind}", "-q", self.card), check=True, stdout=subprocess.DEVNULL)
        self.cuts, self.facts = 0, []

    def told(self):
        """The facts that the machine has reported since its start."""
        try:
            with open(f"{self.out}/facts.jsonl", encoding="utf-8") as file:
                lines = file.read().splitlines(keepends=True)
        except OSError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def round(self):
        """Starts the machine, kills it, and judges what it found of the previous round. Returns what happened."""
        if self.cuts == CUTS_OF_A_CARD:
            self.new_card()
        self.cuts += 1
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        is_early = bool(self.facts) and self.chance.random() < 1 / 6
        settings = {
            "is_first": not self.facts, "options": replays.OPTIONS[self.kind], "seed": self.chance.random(),
            "resume_seconds": self.chance.choice(("0", "86400")), "streams": [fact["stream"] for fact in self.facts if "stream" in fact],
        }
        with open(f"{self.out}/round.json", "w", encoding="utf-8") as file:
            json.dump(settings, file)
        socket_path = f"{self.folder}/socket"
        with lossy_card.LossyCard(self.card, socket_path) as card:
            machine = small_machine.start(*self.machine, socket_path, self.out)
            try:
                when = self._wait(machine, card, is_early)
            finally:
                machine.kill()
                machine.wait()
                lost = card.settle(self.chance)
        words = f"{self.kind}, {when}, {lost}"
        told = [fact for fact in self.told() if "begins" not in fact]
        if not os.path.exists(f"{self.out}/seen.json"):
            # It was killed before the check was complete, so the next start checks the same facts.
            self.facts += told
            return words
        found = cut_recordings.compare(self.facts, f"{self.out}/seen")
        self.facts = cut_recordings.settled(self.facts, f"{self.out}/seen") + told
        return f"{words}; the cut before: {found}"

    def _wait(self, machine, card, is_early):
        """Waits until the card's power is gone; says when that is."""
        began = time.monotonic()
        use = self.chance.uniform(*USE_SECONDS)
        write = self.chance.randint(1, MOST_WRITES)
        while True:
            if machine.poll() is not None:
                with open(f"{self.out}/said.txt", encoding="utf-8", errors="replace") as file:
                    raise Failure(f"the machine ended: {file.read().strip()[-600:]}")
            if time.monotonic() - began > START_SECONDS:
                raise Failure(f"the machine got nowhere in {START_SECONDS} s")
            told = self.told()
            if is_early and any(fact.get("begins") == "check" for fact in told):
                return f"at write {write} of the start" if self._goes(card, write) else "at the start"
            in_use = [fact["at"] for fact in told if "begins" not in fact]
            if in_use and in_use[-1] - in_use[0] >= use:
                after = f"after {use:.0f} s of use"
                return f"at write {write} {after}" if self._goes(card, write) else after
            time.sleep(0.1)

    @staticmethod
    def _goes(card, write):
        """Lets the power go at this write; false where the machine makes too few."""
        card.goes_at_write(write)
        return card.power_is_gone.wait(WRITE_SECONDS)


def main():
    """Runs the rounds given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("perchd")
    parser.add_argument("kernel_root")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--kinds", default="ext4,f2fs")
    parser.add_argument("--table", help="file for what came of them")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", help="folder for everything; by default a temporary one")
    options = parser.parse_args()
    print(f"the power goes by seed {options.seed}", flush=True)
    lines, failed = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or temporary
        os.makedirs(folder, exist_ok=True)
        machine = small_machine.build(folder, os.path.realpath(options.kernel_root), os.path.realpath(options.perchd), "until_killed")
        campaigns = [
            Campaign(kind, f"{folder}/{kind}", machine, random.Random(f"{options.seed} {kind}")) for kind in options.kinds.split(",")
        ]
        for number in range(options.rounds):
            campaign = campaigns[number % len(campaigns)]
            began = time.monotonic()
            try:
                words = f"ok   {number + 1} {campaign.round()}"
            except Failure as failure:
                words, failed = f"FAIL {number + 1} {campaign.kind}: {failure}", failed + 1
                shutil.copytree(campaign.out, f"{folder}/failed-{number + 1}", dirs_exist_ok=True)
                campaign.cuts = CUTS_OF_A_CARD
            print(f"{words} ({time.monotonic() - began:.0f} s)", flush=True)
            lines.append(f"{words}\n")
            if options.table:
                with open(options.table, "w", encoding="utf-8") as table:
                    table.write(f"{number + 1} of {options.rounds} machines killed, seed {options.seed}\n\n")
                    table.writelines(lines)
    print(f"{options.rounds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
