"""TLS: handshakes, a segment's throughput and memory, beside nginx with TLS and the same kind of certificate; then many connections and viewers beside a live
stream.

Loader and server share the machine's cores: "µs" and "ms" are the server's own CPU time, which does not depend on what the loader takes.
"""

import asyncio
import json
import re
import ssl
import statistics
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import hls
import nginx
import perch
import process
import wrk
from table import Result, Row, milliseconds, size

HANDSHAKE_SECONDS = 4
ROUNDS = 3
SECONDS = 3
IDLE = 1000
VIEWERS = 500
WATCHED_SECONDS = 40
BUFFER_SECONDS = 6
"""What a player has ahead that begins three segments behind, as HLS asks for."""
_BITRATE = 600_000


def measure(perchd: Path, folder: Path) -> Result:
    """Starts a perchd of its own, with a stream of 600 kb/s: the loader has to decrypt what 500 viewers get."""
    folder.mkdir(parents=True)
    port = process.free_port()
    with perch.live_stream(perchd, folder / "perch", _clip(folder), f'[tls]\nlisten = ["127.0.0.1:{port}"]\n') as stream:
        _switch_on(stream, port)
        result = Result("TLS", "nginx with TLS")
        certificate = _certificate(folder)
        time.sleep(8)
        segment = hls.fetch(_newest_segment(stream))
        files = {"segment.ts": segment, "healthz": b"ok"}
        with nginx.static_server(folder / "peer", files, certificate) as (peer_port, peer_pids):
            for what, options in (("new", ["-new"]), ("resumed", ["-reuse"])):
                ours = _handshakes(port, options, stream.pids)
                theirs = _handshakes(peer_port, options, peer_pids)
                result.rows.append(Row(f"handshakes, TLS 1.3, {what}", f"{ours[0]:,.0f}/s, {ours[1] * 1e6:.0f} µs", f"{theirs[0]:,.0f}/s, {theirs[1] * 1e6:.0f} µs", f"{theirs[1] / ours[1]:.2f} × less CPU"))
            for connections in (16, 256):
                result.rows.append(_throughput(stream, port, peer_port, peer_pids, len(segment), connections))
            result.rows.append(_small_over_http2(stream, port))
        result.rows += _memory(stream, port)
        result.rows += _crowd(stream, port)
    result.notes = [
        f"Handshakes: openssl s_time over loopback, one after the other, {HANDSHAKE_SECONDS} s each, with ECDSA P-256 certificates on both sides. Throughput: wrk, {ROUNDS} rounds of {SECONDS} s a side, in turn; the median.",
        "nginx: as for serving without TLS, ssl_protocols TLSv1.2 TLSv1.3, ssl_session_tickets on, sendfile without kernel TLS (as Debian builds it).",
        f"Memory: growth of perchd's resident memory with {IDLE:,} connections that asked once and then wait. The crowd: {IDLE:,} such connections and {VIEWERS} viewers of the live stream of {_BITRATE // 1000} kb/s over TLS, {WATCHED_SECONDS} s, by Python on the same machine; a viewer has run dry when a segment came {BUFFER_SECONDS} s after it was listed.",
    ]
    return result


def _clip(folder: Path) -> Path:
    """Ten seconds at a rate that the loader can decrypt for 500 viewers."""
    clip = folder / "clip.h264"
    rate = ["-b:v", str(_BITRATE), "-maxrate", str(_BITRATE), "-bufsize", str(_BITRATE)]
    source = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=10"]
    coder = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "60", "-bf", "0", "-bsf:v", "h264_mp4toannexb", "-x264-params", "aud=1:repeat-headers=1", *rate]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *coder, "-f", "h264", str(clip)], check=True)
    return clip


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for nginx."""
    certificate, key = folder / "peer.pem", folder / "peer.key"
    asked = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-days", "10"]
    subprocess.run([*asked, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def _switch_on(stream: perch.Perch, port: int) -> None:
    token = stream.set_up()
    stream.patch("/api/v1/https", {"enabled": True}, token)
    deadline = time.monotonic() + 10
    while True:
        try:
            ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _newest_segment(stream: perch.Perch) -> str:
    name, _ = hls.fetch_playlist(stream.playlist_url).segments[-1]
    return urllib.parse.urljoin(stream.playlist_url, name)


def _handshakes(port: int, options: list[str], pids: list[int]) -> tuple[float, float]:
    """Handshakes a second, and the server's CPU seconds for each."""
    used = process.cpu_seconds(pids)
    argv = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-time", str(HANDSHAKE_SECONDS), *options]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    used = process.cpu_seconds(pids) - used
    found = re.findall(r"(\d+) connections in (\d+) real seconds", said)
    if not found:
        raise RuntimeError(f"openssl s_time: {said[-300:]}")
    count, seconds = map(int, found[-1])
    return count / max(seconds, 1), used / max(count, 1)


def _throughput(stream: perch.Perch, port: int, peer_port: int, peer_pids: list[int], length: int, connections: int) -> Row:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        path = urllib.parse.urlsplit(_newest_segment(stream)).path
        ours.append(_round(f"https://127.0.0.1:{port}{path}", connections, stream.pids))
        theirs.append(_round(f"https://127.0.0.1:{peer_port}/segment.ts", connections, peer_pids))
    ratio = statistics.median(mine[0] / its[0] for mine, its in zip(ours, theirs))
    figures = [f"{size(statistics.median(r[0] for r in side))}/s, {statistics.median(r[1] for r in side) * 1e9:.2f} s of CPU a GB" for side in (ours, theirs)]
    return Row(f"segment.ts ({size(length)}), {connections} connections", *figures, f"{ratio:.2f} ×", "not slower", round(ratio, 2) >= 1)


def _round(url: str, connections: int, pids: list[int]) -> tuple[float, float]:
    """Bytes a second, and the server's CPU seconds for each byte."""
    used = process.cpu_seconds(pids)
    load = wrk.load(url, connections, SECONDS)
    used = process.cpu_seconds(pids) - used
    if load.errors or not load.requests:
        raise RuntimeError(f"{url} with {connections} connections: {load.errors} errors in {load.requests} requests")
    return load.bytes / load.seconds, used / load.bytes


def _small_over_http2(stream: perch.Perch, port: int) -> Row:
    used = process.cpu_seconds(stream.pids)
    argv = ["h2load", "-c", "32", "-m", "16", "-t", "1", "-D", str(SECONDS), f"https://127.0.0.1:{port}/media/live/index.m3u8"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    used = process.cpu_seconds(stream.pids) - used
    rate = float(re.search(r"([\d.]+) req/s", said)[1])
    done, failed = int(re.search(r"(\d+) succeeded", said)[1]), int(re.search(r"(\d+) failed", said)[1])
    if failed or not done:
        raise RuntimeError(said)
    return Row("playlist over HTTP/2, 32 connections of 16 streams", f"{rate:,.0f}/s, {used / done * 1e6:.0f} µs", "")


def _memory(stream: perch.Perch, port: int) -> list[Row]:
    rows = []
    for what, protocol in (("HTTP/1.1", "http/1.1"), ("HTTP/2", "h2")):
        time.sleep(3)
        before, _ = process.memory(stream.pids)
        with process.running([sys.executable, __file__, "idle", str(port), protocol, str(IDLE)], Path("/dev/null"), stdout=-1) as holder:
            ready = holder.stdout.readline()
            if ready.strip() != b"ready":
                raise RuntimeError(f"{IDLE} idle connections with {what}: {ready!r}")
            after, _ = process.memory(stream.pids)
            plural = f"{IDLE:,} idle connections"
            rows.append(Row(f"memory of a connection, {what}, {plural}", size((after - before) / IDLE), ""))
    return rows


def _crowd(stream: perch.Perch, port: int) -> list[Row]:
    """Idle connections and viewers at once."""
    halves = [VIEWERS // 2, VIEWERS - VIEWERS // 2]
    used, begun = process.cpu_seconds(stream.pids), time.monotonic()
    lagged = _metric(stream, "perch_hls_lagged_total")
    null = Path("/dev/null")
    with process.running([sys.executable, __file__, "idle", str(port), "h2", str(IDLE)], null, stdout=-1) as holder:
        if holder.stdout.readline().strip() != b"ready":
            raise RuntimeError("the idle connections were not let in")
        watching = [subprocess.Popen([sys.executable, __file__, "watch", str(port), str(count), str(WATCHED_SECONDS)], stdout=subprocess.PIPE) for count in halves]
        said = [json.loads(one.communicate(timeout=WATCHED_SECONDS + 60)[0]) for one in watching]
        open_now = _metric(stream, "perch_http_connections_open") if "perch_http_connections_open" in stream.metrics() else None
    used, seconds = process.cpu_seconds(stream.pids) - used, time.monotonic() - begun
    delays = sorted(delay for one in said for delay in one["delays"])
    errors = [error for one in said for error in one["errors"]]
    dry = sum(one["dry"] for one in said)
    median, worst = delays[len(delays) // 2], delays[-1]
    rss, _ = process.memory(stream.pids)
    what = f"{VIEWERS} viewers and {IDLE:,} idle connections over TLS"
    rows = [
        Row(f"{what}: viewers that ran dry", f"{dry} (errors: {len(errors)}{', ' + errors[0] if errors else ''})", "", "", "0", dry == 0 and not errors),
        Row("segments taken; from listed to taken, median and worst", f"{len(delays):,}; {milliseconds(median)}, {milliseconds(worst)}", ""),
        Row("the live stream's reader overtaken", f"{_metric(stream, 'perch_hls_lagged_total') - lagged:.0f} times", "", "", "0", _metric(stream, "perch_hls_lagged_total") == lagged),
        Row("perchd's CPU meanwhile, of one core; memory", f"{100 * used / seconds:.0f} %; {size(rss)}", ""),
    ]
    if open_now is not None:
        rows.append(Row("connections open then", f"{open_now:.0f}", ""))
    return rows


def _metric(stream: perch.Perch, name: str) -> float:
    lines = [line for line in stream.metrics().splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


# What the processes beside do.


def _context(protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def _own_address(number: int) -> tuple[str, int]:
    """One address may have half of the connections."""
    return f"127.0.0.{2 + number % 8}", 0


# Preface, SETTINGS, and GET /healthz of https://perch (RFC 9113 §3.4, RFC 7541).
_GET = b"\x82\x87\x44\x08/healthz\x41\x09localhost"
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + len(_GET).to_bytes(3, "big") + b"\x01\x05\x00\x00\x00\x01" + _GET


async def _idle(port: int, protocol: str, count: int) -> None:
    context, turns = _context(protocol), asyncio.Semaphore(50)
    request = _HTTP2 if protocol == "h2" else b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    kept = []

    async def one(number: int) -> None:
        async with turns:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, local_addr=_own_address(number))
            writer.write(request)
            await asyncio.wait_for(reader.read(100), 10)
            kept.append((reader, writer))

    await asyncio.gather(*(one(number) for number in range(count)))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """PING with PING, so that the connection is kept."""
        held = b""
        while data := await reader.read(1000):
            held += data
            while (at := held.find(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00")) >= 0 and len(held) >= at + 17:
                writer.write(b"\x00\x00\x08\x06\x01\x00\x00\x00\x00" + held[at + 9 : at + 17])
                held = held[at + 17 :]
            held = held[-17:]

    print("ready", flush=True)
    await asyncio.gather(*(answer(*one) for one in kept), return_exceptions=True)


async def _watch(port: int, count: int, seconds: int) -> None:
    context, said = _context("http/1.1"), {"delays": [], "errors": [], "dry": 0}
    until = time.monotonic() + seconds

    async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.split(b"\r\n", 1)[0].decode())
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        return await reader.readexactly(length)

    async def one(number: int) -> None:
        # They do not come at one moment.
        await asyncio.sleep(number * 4 / count)
        try:
            connection = await asyncio.open_connection("127.0.0.1", port, ssl=context, local_addr=_own_address(number))
            text = (await get(*connection, "/media/live/index.m3u8")).decode()
            while time.monotonic() < until:
                lines = [line for line in text.splitlines() if line and not line.startswith("#")]
                sequence = int(re.search(r"MEDIA-SEQUENCE:(\d+)", text)[1]) + len(lines)
                text = (await get(*connection, f"/media/live/index.m3u8?_HLS_msn={sequence}")).decode()
                listed = time.monotonic()
                newest = [line for line in text.splitlines() if line and not line.startswith("#")][-1]
                await get(*connection, f"/media/live/{newest}")
                said["delays"].append(time.monotonic() - listed)
                said["dry"] += said["delays"][-1] > BUFFER_SECONDS
        except (OSError, EOFError, RuntimeError, asyncio.IncompleteReadError) as error:
            said["errors"].append(f"{type(error).__name__}: {error}")

    await asyncio.gather(*(one(number) for number in range(count)))
    print(json.dumps(said))


if __name__ == "__main__":
    what, port, *rest = sys.argv[1:]
    asyncio.run(_idle(int(port), rest[0], int(rest[1])) if what == "idle" else _watch(int(port), int(rest[0]), int(rest[1])))
