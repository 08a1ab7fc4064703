#!/usr/bin/env python3
"""`make bench`: measures Perch and its peers on the same input in one run, and writes a table to the terminal and to bench-results/.

    run.py [--only NAME[,NAME…]] [--runs N] [--perchd FILE] [--segment-file FILE]

Exit code 1 if something could not be measured; a missed target is no failure (speed is reported, not asserted). It uses only loopback, for
about twelve minutes a run, and stops everything it starts. To add a measurement: a module that returns a `table.Result`, and a line in MEASUREMENTS.
"""

import argparse
import contextlib
import datetime
import functools
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import chat
import clip
import downloading
import encrypting
import ingesting
import listing
import live
import machine
import nginx
import perch
import recording
import relaying
import searching
import searching_beside_stream
import segmenting
import serving
import site_beside_stream
import sounding
import table

_MEMORY_FILE_SYSTEM = Path("/dev/shm")
_ROOM = 300_000_000


class Bench:
    """Shared by the measurements: the builds, the clip, a folder in memory, and one perchd that runs from its first use on."""

    def __init__(self, perchd: Path, segment_file: Path, folder: Path, stack: contextlib.ExitStack) -> None:
        self.perchd = perchd
        self.segment_file = segment_file
        self.folder = folder
        self.clip = clip.make()
        self._stack = stack

    @functools.cached_property
    def perch(self) -> perch.Perch:
        """perchd with its live stream."""
        return self._stack.enter_context(perch.live_stream(self.perchd, self.folder / "perch", self.clip))


def _segmenting(bench: Bench) -> list[table.Result]:
    return segmenting.measure(bench.segment_file, bench.folder / "segmenting", bench.clip)


def _live(bench: Bench) -> list[table.Result]:
    with nginx.rtmp_stack(bench.folder / "live-peer", bench.clip) as peer:
        theirs = live.observe(peer)
    ours = live.observe(bench.perch)
    with perch.live_stream(bench.perchd, bench.folder / "perch-timed", clip.make_transport_stream(bench.clip)) as stream:
        timed = live.observe(stream)
    return [live.compare(ours, timed, theirs)]


def _serving(bench: Bench) -> list[table.Result]:
    return [serving.measure(bench.perch, bench.folder / "serving-peer")]


def _tls(bench: Bench) -> list[table.Result]:
    return [encrypting.measure(bench.perchd, bench.folder / "tls")]


def _listing(bench: Bench) -> list[table.Result]:
    with nginx.rtmp_stack(bench.folder / "listing-peer", bench.clip) as peer:
        theirs = listing.observe_peer(peer)
    return [listing.compare(listing.observe_perch(bench.perch), theirs, bench.perch.metrics())]


def _site(bench: Bench) -> list[table.Result]:
    return [site_beside_stream.measure(bench.perch)]


def _searching(bench: Bench) -> list[table.Result]:
    return [searching.measure(machine.build_example("perch-store", "ten_thousand_streams"), bench.folder / "searching")]


def _crowd(bench: Bench) -> list[table.Result]:
    example = machine.build_example("perch-store", "ten_thousand_streams")
    return [searching_beside_stream.measure(bench.perchd, example, bench.folder / "crowd", bench.clip)]


def _recording(bench: Bench) -> list[table.Result]:
    return [recording.measure(bench.perchd, bench.folder / "recording", clip.make_transport_stream(bench.clip))]


def _relaying(bench: Bench) -> list[table.Result]:
    return [relaying.measure(bench.perchd, bench.folder / "relaying", clip.make_transport_stream(bench.clip))]


def _ingesting(bench: Bench) -> list[table.Result]:
    return [ingesting.measure(bench.perchd, bench.folder / "ingesting", clip.make_transport_stream(bench.clip))]


def _downloading(bench: Bench) -> list[table.Result]:
    return [downloading.measure(bench.perchd, machine.build_example("perch-studio", "ten_hours"), bench.folder / "downloading", bench.clip)]


def _sounding(bench: Bench) -> list[table.Result]:
    return [sounding.measure(machine.build_example("perch-studio", "code_sound"), bench.folder / "sounding")]


def _chat(_: Bench) -> list[table.Result]:
    return [chat.measure()]


MEASUREMENTS: dict[str, Callable[[Bench], list[table.Result]]] = {
    "segmenting": _segmenting,
    "live": _live,
    "serving": _serving,
    "tls": _tls,
    "listing": _listing,
    "site": _site,
    "searching": _searching,
    "crowd": _crowd,
    "recording": _recording,
    "relaying": _relaying,
    "ingesting": _ingesting,
    "downloading": _downloading,
    "sounding": _sounding,
    "chat": _chat,
}


def main() -> int:
    """Measures and writes the report; the exit code says whether everything could be measured."""
    arguments = _arguments()
    machine.install_tools()
    now = datetime.datetime.now(datetime.timezone.utc)
    perchd, segment_file = (arguments.perchd, arguments.segment_file) if arguments.perchd and arguments.segment_file else machine.build()
    head = machine.describe(now)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit(130))  # through the `finally` of everything that runs

    runs = []
    for run in range(1, arguments.runs + 1):
        print(f"run {run} of {arguments.runs}", file=sys.stderr, flush=True)
        runs.append(_run(arguments.only, arguments.perchd or perchd, arguments.segment_file or segment_file))
    results = table.median_of(runs)
    if arguments.runs > 1:
        head.append(("runs", f"{arguments.runs}; figures are those of the median run, in brackets the least and the greatest of the runs"))

    report = table.render(head, results)
    print(report)
    out = machine.REPOSITORY / "bench-results" / f"{now:%Y-%m-%dT%H%M%SZ}.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text(report)
    print(f"written to {out.relative_to(machine.REPOSITORY)}", file=sys.stderr)
    return 1 if any(result.error for result in results) else 0


def _run(names: list[str], perchd: Path, segment_file: Path) -> list[table.Result]:
    """Every measurement once, with a perchd of its own."""
    results: list[table.Result] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perch-bench-", dir=_memory_file_system())))
        bench = Bench(perchd, segment_file, folder, stack)
        for name in names:
            print(f"measuring: {name} …", file=sys.stderr, flush=True)
            try:
                measured = MEASUREMENTS[name](bench)
            except Exception as error:
                traceback.print_exc()
                measured = [table.Result(name, "", error=f"{type(error).__name__}: {error}")]
            # What was measured is known also where a later measurement is cut short.
            for result in measured:
                print(*table.section(result), "", sep="\n", file=sys.stderr, flush=True)
            results += measured
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures Perch against its peers on this machine.")
    parser.add_argument("--only", type=_names, default=list(MEASUREMENTS), metavar="NAME[,NAME…]", help=", ".join(MEASUREMENTS))
    parser.add_argument("--runs", type=_odd, default=1, metavar="N", help="how often, an odd number: the table shows the median run and the spread")
    parser.add_argument("--perchd", type=Path, help="this binary instead of the checkout, built as the package is")
    parser.add_argument("--segment-file", type=Path, help="this binary instead of perch-media's example, built likewise")
    return parser.parse_args()


def _odd(text: str) -> int:
    number = int(text)
    if number < 1 or number % 2 == 0:
        raise argparse.ArgumentTypeError("the number of runs is odd, so that one of them is the median")
    return number


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        raise argparse.ArgumentTypeError(f"no such measurement: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    return names


def _memory_file_system() -> Path:
    """Files of both sides are in memory, so that no disk is measured."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    if not any(point == str(_MEMORY_FILE_SYSTEM) and kind == "tmpfs" for _, point, kind, *_ in mounts):
        raise SystemExit(f"make bench needs a tmpfs at {_MEMORY_FILE_SYSTEM}")
    if shutil.disk_usage(_MEMORY_FILE_SYSTEM).free < _ROOM:
        raise SystemExit(f"make bench needs {table.size(_ROOM)} free in {_MEMORY_FILE_SYSTEM}")
    return _MEMORY_FILE_SYSTEM


if __name__ == "__main__":
    sys.exit(main())
