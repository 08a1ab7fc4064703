"""Sound cards of the virtual machine (snd-aloop), and on the host: whether sound and picture of a recording are in step."""

import os
import re
import subprocess

from . import devices
from .failure import Failure, require, wait_for

CARD = "Loopback"
# What is played on device 0 is recorded from device 1.
MICROPHONE = f"hw:CARD={CARD},DEV=1"
# A second of either begins with the flash and the chirp.
CHIRP_SECONDS = 0.1
BINDING = "/sys/bus/platform/drivers/snd_aloop"


def plug_in():
    """Loads the sound card, or binds its driver again."""
    if os.path.exists(BINDING):
        with open(f"{BINDING}/bind", "w", encoding="ascii") as file:
            file.write("snd_aloop.0")
    else:
        devices.load("snd-aloop", pcm_substreams=1)
    wait_for(lambda: os.path.exists(f"/proc/asound/{CARD}"), 10, "there is no sound card")


def unplug():
    """Takes the card away from its driver, as a USB device that is pulled."""
    with open(f"{BINDING}/unbind", "w", encoding="ascii") as file:
        file.write("snd_aloop.0")


def play(lab, ppm, seconds=300):
    """Plays a chirp at the beginning of each second on a card whose clock is wrong by this much; returns the process."""
    log = open(f"{lab.out}/chirps.log", "ab")  # noqa: SIM115: the process holds it
    return subprocess.Popen(
        (f"{lab.tools}/play_chirps", CARD, str(round(100_000 * (1 + ppm / 1e6))), str(seconds)),
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )


def stop(player):
    """Ends the sound; what is recorded is silence then."""
    player.kill()
    player.wait(10)


def _measured(path, filters, key):
    """(time, value) of a filter's metadata for each picture or each 5 ms of sound."""
    done = subprocess.run(
        ("ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-copyts", "-i", path, *filters, "-f", "null", "-"),
        capture_output=True, text=True, timeout=120, check=False,
    )
    if done.returncode != 0:
        raise Failure(f"{path}: {done.stderr.strip()[-300:]}")
    found, at = [], None
    for line in done.stdout.splitlines():
        if moment := re.search(r"pts_time:(-?[0-9.]+)", line):
            at = float(moment.group(1))
        elif line.startswith(key):
            value = line.split("=", 1)[1]
            found.append((at, float("-inf") if "inf" in value else float(value)))
    return found


def out_of_step(path):
    """By how many milliseconds the sound is late against the picture, for each second of a recording; early is negative."""
    key = "lavfi.signalstats.YAVG"
    pictures = _measured(path, ("-an", "-vf", f"signalstats,metadata=print:key={key}:file=-"), key)
    require(pictures, f"{path} has no pictures")
    dark, bright = min(value for _, value in pictures), max(value for _, value in pictures)
    flashes = [
        at for (at, value), (_, before) in zip(pictures[1:], pictures)
        if value > (dark + bright) / 2 >= before
    ]
    key = "lavfi.astats.Overall.RMS_level"
    sound = _measured(
        path, ("-vn", "-af", f"asetnsamples=n=240:p=0,astats=metadata=1:reset=1,ametadata=print:key={key}:file=-"), key
    )
    late = []
    for flash in flashes:
        near = [(at, 10 ** (level / 10)) for at, level in sound if abs(at - flash) < 0.4 and level > -60]
        energy = sum(power for _, power in near)
        if energy > 0:
            # The middle of the energy is the middle of the chirp; each value stands for 5 ms.
            middle = sum(at * power for at, power in near) / energy + 0.0025
            late.append((middle - CHIRP_SECONDS / 2 - flash) * 1000)
    return late
