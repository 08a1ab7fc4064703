"""Cutting a minute of H.264 into HLS segments: bytes that MPEG-TS adds, and CPU time. Peer: `ffmpeg -c copy -f hls`.

Both read the same Annex B file and write segments and playlist to the same memory file system; whole processes are measured, start-up included.
"""

import shutil
import statistics
import subprocess
from pathlib import Path

import clip
import process
from table import Result, Row

PAIRS = 11
_PEER = "ffmpeg -c copy -f hls"


def measure(segment_file: Path, folder: Path, source: Path) -> list[Result]:
    """Both figures come from the same runs."""
    folder.mkdir()
    ours, theirs = folder / "perch", folder / "ffmpeg"
    perch = [str(segment_file), str(source), "--frames-per-second", str(clip.FRAMES_PER_SECOND), "--out", str(ours)]
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "fatal", "-f", "h264", "-framerate", str(clip.FRAMES_PER_SECOND), "-i", str(source)]
    ffmpeg += ["-c", "copy", "-f", "hls", "-hls_time", str(clip.GOP_SECONDS), "-hls_list_size", "0", str(theirs / "index.m3u8")]

    ours_seconds, theirs_seconds = [], []
    for _ in range(PAIRS):
        ours_seconds.append(_run(perch, ours))
        theirs_seconds.append(_run(ffmpeg, theirs))
    for side in (ours, theirs):
        _check(side)
    return [_overhead(ours, theirs, source), _cpu(ours_seconds, theirs_seconds)]


def _run(argv: list[str], out: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return process.cpu_of_run(argv)


def _check(out: Path) -> None:
    """Checks that no picture was lost."""
    probe = ["ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", str(out / "index.m3u8")]
    said = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    wanted = clip.SECONDS * clip.FRAMES_PER_SECOND
    if not said or int(said[0].strip(",")) != wanted:
        raise RuntimeError(f"{out.name}'s segments hold {said} pictures instead of {wanted}")


def _overhead(ours: Path, theirs: Path, source: Path) -> Result:
    elementary = source.stat().st_size
    perch, peer = (sum(segment.stat().st_size for segment in side.glob("*.ts")) / elementary for side in (ours, theirs))
    result = Result("MPEG-TS bytes over elementary bytes", _PEER)
    result.rows.append(Row("bytes of all segments / bytes of the H.264", f"{perch:.4f}", f"{peer:.4f}", f"{perch - peer:+.4f}", "≤ 1.030", perch <= 1.030))
    result.notes.append(f"The H.264: 720p30, {elementary * 8 / clip.SECONDS / 1e6:.2f} Mb/s, {clip.SECONDS} s; access-unit delimiters and parameter sets that a muxer adds count as its overhead.")
    return result


def _cpu(ours: list[float], theirs: list[float]) -> Result:
    ratios = [peer / perch for perch, peer in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    start_up = statistics.median(process.cpu_of_run(["ffmpeg", "-version"]) for _ in range(5))
    result = Result("CPU time to segment a minute of 4 Mb/s H.264", _PEER)
    result.rows.append(
        Row(
            "user + system time of one run",
            f"{statistics.median(ours) * 1e3:.1f} ms",
            f"{statistics.median(theirs) * 1e3:.1f} ms",
            f"{ratio:.1f} × less ({min(ratios):.1f} to {max(ratios):.1f})",
            "≥ 5 × less",
            ratio >= 5,
        )
    )
    without = (statistics.median(theirs) - start_up) / statistics.median(ours)
    result.rows.append(Row("the same, ffmpeg's own start-up taken off", "as above", f"{(statistics.median(theirs) - start_up) * 1e3:.1f} ms", f"{without:.1f} × less"))
    result.notes.append(f"{PAIRS} pairs of runs in turn, medians; the ratio is the median of the pairs' ratios, in brackets the least and the greatest. Both: Annex B file in the page cache → segments and playlist in a memory file system, process start included.")
    return result
