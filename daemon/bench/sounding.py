"""Coding sound: the share of a core that a microphone costs, resampling included. Peer: ffmpeg's own AAC encoder behind its resampler.

Both read the same samples (44.1 kHz, stereo: chords over noise) from a memory file system and code them as AAC-LC of 48 kHz and 128 kb/s; whole processes are
measured, start-up included.
"""

import statistics
import subprocess
from pathlib import Path

import process
from table import Result, Row

PAIRS = 5
SECONDS = 300
RATE = 44_100
_PEER = "ffmpeg -c:a aac"
_SOUND = (
    f"sine=f=220:r={RATE}:d={SECONDS},volume=0.3[a];sine=f=277:r={RATE}:d={SECONDS},volume=0.3[b];sine=f=1320:r={RATE}:d={SECONDS},tremolo=f=3,volume=0.2[c];"
    f"anoisesrc=c=pink:a=0.1:r={RATE}:d={SECONDS}:seed=1[n];[a][b][c][n]amix=4:normalize=0,aformat=channel_layouts=stereo[out]"
)


def measure(code_sound: Path, folder: Path) -> Result:
    """User and system time for five minutes of sound."""
    folder.mkdir()
    samples, ours, theirs = folder / "in.raw", folder / "perch.aac", folder / "ffmpeg.aac"
    make = ["ffmpeg", "-nostdin", "-v", "error", "-filter_complex", _SOUND, "-map", "[out]", "-f", "s16le", str(samples)]
    subprocess.run(make, timeout=120, check=True)
    perch = [str(code_sound), str(samples), str(RATE), str(ours)]
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "fatal", "-y", "-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", str(samples)]
    ffmpeg += ["-ar", "48000", "-c:a", "aac", "-b:a", "128k", "-f", "adts", str(theirs)]
    ours_seconds, theirs_seconds = [], []
    for _ in range(PAIRS):
        ours_seconds.append(process.cpu_of_run(perch))
        theirs_seconds.append(process.cpu_of_run(ffmpeg))
    for side in (ours, theirs):
        _check(side)
    ratios = [peer / perch for perch, peer in zip(ours_seconds, theirs_seconds)]
    share, peer_share = (statistics.median(seconds) / SECONDS for seconds in (ours_seconds, theirs_seconds))
    result = Result("Resampling and coding a microphone's sound (AAC-LC, 48 kHz, 128 kb/s)", _PEER)
    compared = f"{statistics.median(ratios):.2f} × less ({min(ratios):.2f} to {max(ratios):.2f})"
    result.rows.append(Row("share of a core", f"{share:.2%}", f"{peer_share:.2%}", compared))
    result.notes.append(f"{SECONDS} s of 44.1 kHz stereo. Perch's resampler follows the microphone's clock; ffmpeg's has a fixed ratio.")
    return result


def _check(coded: Path) -> None:
    """Checks that no sound was lost."""
    probe = ["ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", str(coded)]
    said = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=True).stdout.strip().strip(",")
    wanted = SECONDS * 48_000 / 1024
    if not said.isdigit() or abs(int(said) - wanted) > 4:
        raise RuntimeError(f"{coded.name} holds {said} frames instead of {wanted:.0f}")
