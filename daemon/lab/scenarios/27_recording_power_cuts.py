"""The power fails while a stream is recorded and people chat, on ext4 and f2fs, with unflushed writes dropped: everything acknowledged is there, every
recording plays, and at most the sync interval and one fragment are missing. PERCH_LAB_CUTS=50 makes 50 cuts of each file system.
"""

import os
import random

from lab import replays
from lab.failure import Failure

CUTS = int(os.environ.get("PERCH_LAB_CUTS") or 0)
KINDS = {"ext4": CUTS or 3, "f2fs": CUTS or 2}
USE_SECONDS = 90 if CUTS else 15
SECONDS = 300 + 20 * CUTS
CHECK_SECONDS = SECONDS


def guest(lab):
    seed = os.environ.get("PERCH_LAB_SEED") or str(random.randrange(1 << 32))
    return f"seed {seed}: " + "; ".join(replays.guest(lab, kind, cuts, USE_SECONDS, seed) for kind, cuts in KINDS.items())


def check(lab):
    results = [result for kind, cuts in KINDS.items() for result in replays.judge(lab, kind, cuts)]
    with open(f"{lab.out}/table.txt", "w", encoding="utf-8") as table:
        table.writelines(f"{'ok  ' if good else 'FAIL'} {words}\n" for good, words in results)
    failed = [words for good, words in results if not good]
    if failed:
        raise Failure(f"{len(failed)} of {len(results)} cuts: {'; '.join(failed[:3])}")
    return f"{len(results)} cuts: {'; '.join(words for _, words in results[:5])}"
