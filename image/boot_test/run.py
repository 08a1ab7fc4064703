#!/usr/bin/env python3
"""Boots an image and uses it: `boot_test/run.py IMAGE UPDATE [--minutes N] [--seed N] [--keep FOLDER]`.

Prints a line for each test, with memory use and times; exit code 1 if one fails. `--minutes` skips tests that would not fit, judged by the time of the
first start, and the last lines name them. Needs QEMU for aarch64, mtools, ffprobe and tap devices. Everything is emulated in software: a minute here is
some seconds on a board.
"""

import random
import sys

from boot_files import try_boot_files
from first_boot import try_first_boot
from machine import make_card
from mishaps import try_mishaps
from report import Report
from updates import try_updates
from workplace import arguments_of, workplace


def main() -> int:
    """Runs the tests on the image given on the command line."""
    parser = arguments_of("Boots an image and uses it.")
    parser.add_argument("--minutes", type=float, help="what does not fit is left out, and named")
    arguments = parser.parse_args()
    report = Report(arguments.minutes)
    chance = random.Random(arguments.seed)
    with workplace(arguments) as (folder, image):
        print(f"the power goes by seed {arguments.seed}", flush=True)
        card = folder / "card.qcow2"
        make_card(image, card)
        start_seconds, is_on_trial = try_first_boot(card, folder, arguments.update, report)
        if is_on_trial:
            try_updates(card, arguments.update, folder, chance.uniform(3, start_seconds), report)
        if report.has_time_for("a power cut in the first start, wifi.txt and perch.toml", 3 * start_seconds):
            try_boot_files(image, folder, chance.uniform(3, start_seconds), report)
        if report.has_time_for("no network and a phone on the access point, two boards of one name, a locked card", 4 * start_seconds):
            try_mishaps(card, folder, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
