"""What relays cost: CPU time and memory of one stream that is sent on to 1, 4 and 16 servers, above that of the same stream which is not. Peer: nginx-rtmp's `push`.

For each number four run at the same time, each with a sender of its own, which is not counted: Perch with relays and without, nginx-rtmp with pushes and without. All
send to one nginx-rtmp, which counts what comes and is not counted itself.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nginx
import perch
import process
from table import Result, Row, size

RELAYS = (1, 4, 16)
SETTLE_SECONDS = 10
COUNTED_SECONDS = 30


@dataclass
class Observed:
    """The cost of one of them."""

    cpu_percent: float
    """Of one core."""
    rss: int


def measure(perchd: Path, folder: Path, transport_stream: Path) -> Result:
    """Each number of relays."""
    folder.mkdir()
    result = Result("Sending a stream on, 720p30 at 4 Mb/s", "nginx-rtmp, push")
    for count in RELAYS:
        result.rows += _round(perchd, folder / str(count), transport_stream, count)
    result.notes = [
        f"MPEG-TS from a sender at its own pace; the figures are those of the stream with relays less those of the stream without, at the same time. CPU clocks over {COUNTED_SECONDS} s, {SETTLE_SECONDS} s after all relays were live, no viewer; RSS at the end. The server at the far end says that each relay's bytes arrive.",
        "Peer: `ffmpeg -c copy` to nginx-rtmp, of which nginx alone is counted. Perch also makes HLS of the stream, with relays and without.",
    ]
    return result


def compare(count: int, ours: tuple[Observed, Observed], theirs: tuple[Observed, Observed]) -> list[Row]:
    """The rows for so many relays; of each side without and with them."""
    (without, with_), (peer_without, peer_with) = ours, theirs
    added, peer_added = with_.cpu_percent - without.cpu_percent, peer_with.cpu_percent - peer_without.cpu_percent
    ratio = peer_added / max(added, 1e-3)
    grown, peer_grown = (max(after.rss - before.rss, 0) for before, after in (ours, theirs))
    what = f"{count} relay{'s' if count > 1 else ''}"
    return [
        Row(f"CPU that {what} add{'s' if count == 1 else ''}, part of one core", f"{added:.2f} %", f"{peer_added:.2f} %", f"{ratio:.1f} × less", "not more", round(ratio, 1) >= 1),
        Row(f"memory (RSS) that {what} add{'s' if count == 1 else ''}", size(grown), size(peer_grown), f"{peer_grown / max(grown, 1):.1f} × less"),
    ]


def _round(perchd: Path, folder: Path, transport_stream: Path, count: int) -> list[Row]:
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(nginx.rtmp_counter(folder / "far"))
        urls = [f"rtmp://127.0.0.1:{far.port}/live" for _ in range(count)]
        pids = {
            "perch": stack.enter_context(_relayed(perchd, folder / "perch", transport_stream, urls)),
            "perch without": stack.enter_context(_relayed(perchd, folder / "perch-without", transport_stream, [])),
            "peer": stack.enter_context(nginx.rtmp_pushing(folder / "peer", transport_stream, [f"{url}/peer-{n}" for n, url in enumerate(urls)])),
            "peer without": stack.enter_context(nginx.rtmp_pushing(folder / "peer-without", transport_stream, [])),
        }
        expected = {f"{side}-{n}" for side in ("perch", "peer") for n in range(count)}
        _wait_for(far, expected)
        time.sleep(SETTLE_SECONDS)
        arrived = far.bytes_in()
        begin, before = time.monotonic(), {name: process.cpu_seconds(of) for name, of in pids.items()}
        time.sleep(COUNTED_SECONDS)
        seconds, after = time.monotonic() - begin, {name: process.cpu_seconds(of) for name, of in pids.items()}
        rates = {name: (bytes_in - arrived[name]) * 8 / seconds for name, bytes_in in far.bytes_in().items() if name in expected}
        if set(rates) != expected or min(rates.values()) < 3_500_000:
            raise RuntimeError(f"not everything arrives: {rates}")
        observed = {name: Observed(100 * (after[name] - before[name]) / seconds, process.memory(pids[name])[0]) for name in pids}
    return compare(count, (observed["perch without"], observed["perch"]), (observed["peer without"], observed["peer"]))


def _wait_for(far: nginx.RtmpCounter, names: set[str]) -> None:
    deadline = time.monotonic() + 30
    while not names <= {name for name, bytes_in in far.bytes_in().items() if bytes_in > 500_000}:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {sorted(far.bytes_in())} of {sorted(names)} arrive")
        time.sleep(0.2)


@contextlib.contextmanager
def _relayed(perchd: Path, folder: Path, transport_stream: Path, urls: list[str]) -> Iterator[list[int]]:
    with perch.idle(perchd, folder, transport_stream) as stream:
        token = stream.set_up()
        names = [f"relay-{n}" for n in range(len(urls))]
        for n, (name, url) in enumerate(zip(names, urls)):
            stream.post("/api/v1/relays", {"name": name, "url": url, "key": f"perch-{n}"}, token)
        stream.post("/api/v1/streams", {"title": "bench", "relays": names}, token)
        yield stream.pids
