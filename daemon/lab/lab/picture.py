"""Compares pictures on the host, where ffmpeg is fast: the camera's with the players'."""

import math
import os
import re
import subprocess

from .failure import Failure, require


def ffmpeg(*arguments, seconds=60):
    """Runs ffmpeg; returns its output."""
    done = subprocess.run(
        ("ffmpeg", "-hide_banner", "-nostdin", "-y", *arguments), capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode != 0:
        raise Failure(f"ffmpeg {' '.join(arguments)}: {done.stderr.strip()[-400:]}")
    return done.stderr


def decodes(path):
    """Checks that every picture of the file decodes without a complaint of the decoder."""
    words = ffmpeg("-v", "warning", "-i", path, "-f", "null", "-").strip()
    words = "\n".join(line for line in words.splitlines() if "not enough frames to estimate" not in line)
    require(not words, f"{os.path.basename(path)}: the decoder says {words[:300]}")


def frames(path):
    """Number of pictures in the file."""
    done = subprocess.run(
        ("ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries", "stream=nb_read_packets", "-of",
         "csv=p=0", path),
        capture_output=True, text=True, timeout=60, check=False,
    )
    numbers = re.findall(r"\d+", done.stdout)
    return int(numbers[0]) if numbers else 0


def seconds(path):
    """Length of the file as players show it."""
    done = subprocess.run(
        ("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path),
        capture_output=True, text=True, timeout=60, check=False,
    )
    return float(done.stdout or 0)


def psnr(raw, pixel_format, coded, width=320, height=180):
    """Worst PSNR in dB between a raw picture and each of the coded ones; infinite if they are identical."""
    ffmpeg("-v", "error", "-f", "rawvideo", "-pix_fmt", pixel_format, "-s", f"{width}x{height}", "-i", raw, "-frames:v", "1",
           "-pix_fmt", "yuv420p", "-f", "rawvideo", f"{raw}.420")
    ffmpeg("-v", "error", "-i", coded, "-pix_fmt", "yuv420p", "-f", "rawvideo", f"{coded}.420")
    size = width * height * 3 // 2
    with open(f"{raw}.420", "rb") as file:
        expected = file.read()
    require(len(expected) == size, f"{raw} holds {len(expected)} bytes, a picture has {size}")
    worst = math.inf
    with open(f"{coded}.420", "rb") as file:
        count = 0
        while picture := file.read(size):
            require(len(picture) == size, f"{coded} is not {width}x{height}")
            worst = min(worst, psnr_of(expected, picture))
            count += 1
    require(count, f"{coded} holds no picture")
    os.remove(f"{raw}.420")
    os.remove(f"{coded}.420")
    return worst


def psnr_of(a, b):
    """PSNR in dB of two pictures of 8-bit samples."""
    if a == b:
        return math.inf
    error = sum((x - y) ** 2 for x, y in zip(a, b)) / len(a)
    return 10 * math.log10(255 * 255 / error)
