"""The H.264 input of Perch and every peer: one minute of 720p30 at 4 Mb/s, made once by x264 and cached.

It resembles a camera encoder's output: no B-frames, one slice per picture, an IDR every two seconds, constant bit rate (noise in the
picture makes the encoder use all of it).
"""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60
FRAMES_PER_SECOND = 30
GOP_SECONDS = 2
BITRATE = 4_000_000

_ENCODE = [
    "ffmpeg", "-nostdin", "-v", "error", "-y",
    "-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate={FRAMES_PER_SECOND},noise=alls=8:allf=t,format=yuv420p", "-t", str(SECONDS),
    "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-threads", "2",
    "-b:v", str(BITRATE), "-maxrate", str(BITRATE), "-bufsize", str(BITRATE // 2),
    "-x264-params", f"sliced-threads=0:bframes=0:scenecut=0:keyint={GOP_SECONDS * FRAMES_PER_SECOND}:min-keyint={GOP_SECONDS * FRAMES_PER_SECOND}",
    "-f", "h264",
]  # fmt: skip


@dataclass(frozen=True)
class AccessUnit:
    """Position of a coded picture in the file."""

    start: int
    end: int
    is_idr: bool


def make() -> Path:
    """The clip's path; encodes it if necessary."""
    key = hashlib.sha256(" ".join(_ENCODE).encode()).hexdigest()[:12]
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "perch" / "bench"
    clip = folder / f"720p30-4mbps-{key}.h264"
    if not clip.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = clip.with_suffix(".part")
        subprocess.run([*_ENCODE, str(unfinished)], check=True, timeout=300)
        unfinished.rename(clip)
    rate = clip.stat().st_size * 8 / SECONDS
    if not 0.97 * BITRATE < rate < 1.03 * BITRATE:
        raise RuntimeError(f"{clip} has {rate / 1e6:.2f} Mb/s instead of {BITRATE / 1e6:.0f}: x264 here behaves otherwise, adapt clip.py")
    return clip


def make_transport_stream(clip: Path) -> Path:
    """The clip twice in a row as MPEG-TS, beside it: longer than a measurement, so that its times do not restart."""
    transport_stream = clip.with_suffix(".ts")
    if not transport_stream.exists():
        unfinished = clip.with_suffix(".part.ts")
        copy = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-stream_loop", "1", "-r", str(FRAMES_PER_SECOND), "-f", "h264", "-i", str(clip), "-c", "copy", "-f", "mpegts"]
        subprocess.run([*copy, str(unfinished)], check=True, timeout=300)
        unfinished.rename(transport_stream)
    return transport_stream


_PACKET_BYTES = 188
_VIDEO_PID = 0x100
"""PID of the pictures in ffmpeg's output."""


def transport_units(stream: bytes) -> list[AccessUnit]:
    """Cuts a transport stream before each packet that begins a picture (payload_unit_start_indicator, ISO/IEC 13818-1 §2.4.3.2)."""
    starts, idrs = [], []
    for at in range(0, len(stream), _PACKET_BYTES):
        pid = (stream[at + 1] & 0x1F) << 8 | stream[at + 2]
        if pid == _VIDEO_PID and stream[at + 1] & 0x40:
            starts.append(at)
            # random_access_indicator of the adaptation field.
            idrs.append(bool(stream[at + 3] & 0x20 and stream[at + 4] and stream[at + 5] & 0x40))
    ends = [*starts[1:], len(stream)]
    # Tables at the beginning belong to the first picture.
    return [AccessUnit(0 if start == starts[0] else start, end, idr) for start, end, idr in zip(starts, ends, idrs)]


def access_units(stream: bytes) -> list[AccessUnit]:
    """Cuts Annex B into access units (ITU-T H.264 §7.4.1.2.3, as far as x264's output needs it: one begins at the first SEI, parameter
    set, delimiter or slice with first_mb_in_slice = 0 after a slice)."""
    units: list[AccessUnit] = []
    start, is_idr, has_slice = 0, False, False
    at = stream.find(b"\0\0\1")
    while at >= 0:
        kind = stream[at + 3] & 31
        is_slice = kind in (1, 5)
        if has_slice and (6 <= kind <= 9 or (is_slice and stream[at + 4] & 0x80)):
            begin = at - 1 if stream[at - 1] == 0 else at
            units.append(AccessUnit(start, begin, is_idr))
            start, is_idr, has_slice = begin, False, False
        has_slice |= is_slice
        is_idr |= kind == 5
        at = stream.find(b"\0\0\1", at + 3)
    if has_slice:
        units.append(AccessUnit(start, len(stream), is_idr))
    return units
