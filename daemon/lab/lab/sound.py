"""Sound cards of the virtual machine (snd-aloop), and on the host: whether sound and picture of a recording are in step."""

import os
import re
import subprocess

from . import devices
from .failure import Failure, require, wait_for

CARD = "Loopback"
# What is played on device 0 is recorded from device 1.
MICROPHONE = f"hw:CARD={CARD},DEV=1"
# Every second of the wall clock begins with a chirp of this length.
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
    """Plays a chirp at the beginning of each second on a card whose clock is fast by this much; returns the process."""
    # snd-aloop divides by its rate shift.
    shift = round(100_000 / (1 + ppm / 1e6))
    log = open(f"{lab.out}/chirps.log", "ab")  # noqa: SIM115: the process holds it
    return subprocess.Popen(
        (f"{lab.tools}/play_chirps", CARD, str(shift), str(seconds)),
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )


def stop(player):
    """Ends the sound; what is recorded is silence then."""
    player.kill()
    player.wait(10)


def _levels(path):
    """(time, power) of each 5 ms of the sound."""
    key = "lavfi.astats.Overall.RMS_level"
    filters = f"asetnsamples=n=240:p=0,astats=metadata=1:reset=1,ametadata=print:key={key}:file=-"
    words = _run("ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-copyts", "-i", path, "-vn", "-af", filters, "-f", "null", "-")
    found, at = [], None
    for line in words.decode().splitlines():
        if moment := re.search(r"pts_time:(-?[0-9.]+)", line):
            at = float(moment.group(1))
        elif line.startswith(key):
            value = line.split("=", 1)[1]
            found.append((at, 0.0 if "inf" in value else 10 ** (float(value) / 10)))
    return found


def _time_codes(path, width=320):
    """(time in the file, wall time) of each picture of the test pattern (daemon/studio/src/capture/test_pattern/time_code.rs)."""
    times = _run("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path)
    times = [float(line.strip(",")) for line in times.decode().split() if line.strip(",")]
    cell = width // 40
    crop = f"crop={32 * cell}:{2 * cell}:{4 * cell}:{cell}"
    pictures = _run(
        "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf", crop, "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"
    )
    row, size = 32 * cell, 32 * cell * 2 * cell
    found = []
    for number, at in enumerate(times):
        picture = pictures[number * size:(number + 1) * size]
        if len(picture) < size:
            break
        bits = 0
        for index in range(64):
            middle = (index // 32 * cell + cell // 2) * row + index % 32 * cell + cell // 2
            bits = bits << 1 | (picture[middle] > 125)
        if bits >> 56 == 0b10100101:
            found.append((at, (bits >> 8 & 0xFFFFFFFFFFFF) / 1000))
    return found


def _run(*command):
    """Runs a command; returns its output."""
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.decode().strip()[-300:]}")
    return done.stdout


def out_of_step(path):
    """By how many milliseconds each chirp is late against the clock in the pictures; early is negative."""
    pictures = _time_codes(path)
    require(pictures, f"{path} has no pictures with a time code")
    heard = {}
    for at, power in _levels(path):
        shown_at, wall = min(pictures, key=lambda picture: abs(picture[0] - at))
        # The middle of these 5 ms, by the clock in the pictures. A chirp lies around a tenth of a second after the second.
        moment = wall + at - shown_at + 0.0025
        second = round(moment - CHIRP_SECONDS / 2)
        if abs(moment - CHIRP_SECONDS / 2 - second) < 0.4 and power > 1e-6:
            energy, sum_of_moments = heard.get(second, (0.0, 0.0))
            heard[second] = (energy + power, sum_of_moments + power * (moment - second))
    # The middle of the energy is the middle of the chirp. Seconds that are cut off at either end do not count.
    loud = max((energy for energy, _ in heard.values()), default=0)
    return [
        (moments / energy - CHIRP_SECONDS / 2) * 1000
        for _, (energy, moments) in sorted(heard.items()) if energy > loud / 2
    ]
