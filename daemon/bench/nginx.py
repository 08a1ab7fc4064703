"""The peers built from Debian's nginx: a static server, ffmpeg → nginx-rtmp → HLS, and ffmpeg → nginx-rtmp → other servers.

Both keep their files in a memory file system. Not here: measurements.
"""

import contextlib
import socket
import sys
import urllib.request
import xml.etree.ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import process

RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

# Common to both peers. `keepalive_requests` is so high that nginx never closes a connection under load; logs are off, as
# perchd's are.
_FRAME = """
{modules}
daemon off;
worker_processes auto;
worker_rlimit_nofile {open_files};
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 4096; }}
{rtmp}
http {{
    types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp; fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
    server {{
        listen 127.0.0.1:{http_port} backlog=4096{tls};
        root {folder}/www;
        {locations}
        location ~ \\.m3u8$ {{ add_header Cache-Control no-cache; add_header Access-Control-Allow-Origin *; }}
        location ~ \\.ts$ {{ add_header Cache-Control "public, max-age=31536000, immutable"; add_header Access-Control-Allow-Origin *; }}
    }}
}}
"""

_RTMP = """
rtmp {{
    server {{
        listen 127.0.0.1:{rtmp_port};
        application live {{ live on; hls on; hls_path {folder}/www; hls_fragment 2s; hls_playlist_length 60s; }}
    }}
}}
"""


@contextlib.contextmanager
def _nginx(folder: Path, http_port: int, modules: str = "", rtmp: str = "", locations: str = "", certificate: tuple[Path, Path] | None = None) -> Iterator[list[int]]:
    """Runs nginx in `folder`; yields the process ids of master and workers."""
    (folder / "www").mkdir(parents=True)
    config = folder / "nginx.conf"
    tls = f" ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}" if certificate else ""
    config.write_text(_FRAME.format(tls=tls, folder=folder, http_port=http_port, open_files=process.OPEN_FILES, modules=modules, rtmp=rtmp, locations=locations))
    # Otherwise workers switch from root to `nobody`, and cannot write the HLS files.
    user = ["-g", "user root;"] if Path(folder).owner() == "root" else []
    log = folder / "nginx.log"
    with process.running(["nginx", "-p", str(folder), "-c", str(config), *user], log) as nginx:
        process.wait_until("nginx", lambda: _answers(http_port), 10, nginx, log)
        yield process.family(nginx.pid)


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@contextlib.contextmanager
def static_server(folder: Path, files: dict[str, bytes], certificate: tuple[Path, Path] | None = None) -> Iterator[tuple[int, list[int]]]:
    """Serves `files` with nginx, over TLS if there is a certificate with its key; yields its port and process ids."""
    port = process.free_port()
    with _nginx(folder, port, certificate=certificate) as pids:
        for name, content in files.items():
            (folder / "www" / name).write_bytes(content)
        yield port, pids


@dataclass
class RtmpStack:
    """A running ffmpeg → nginx-rtmp → HLS."""

    playlist_url: str
    playlist_file: Path
    idr_log: Path
    pids: list[int]
    """All processes of this stack: ffmpeg, nginx's master and its workers."""


@contextlib.contextmanager
def rtmp_stack(folder: Path, clip: Path) -> Iterator[RtmpStack]:
    """The clip at its own pace → `ffmpeg -c copy` → RTMP → nginx → HLS; ready when the first segment is listed."""
    http_port, rtmp_port = process.free_port(), process.free_port()
    rtmp = _RTMP.format(folder=folder, rtmp_port=rtmp_port)
    playlist, idr_log, log = folder / "www" / "bench.m3u8", folder / "idr.log", folder / "ffmpeg.log"
    with contextlib.ExitStack() as stack:
        nginx = stack.enter_context(_nginx(folder, http_port, f"load_module {RTMP_MODULE};", rtmp))
        camera = stack.enter_context(process.running(pacer(clip, idr_log), folder / "pacer.log", stdout=-1))
        copy = ["ffmpeg", "-nostdin", "-v", "error", "-use_wallclock_as_timestamps", "1", "-f", "h264", "-i", "pipe:0", "-c", "copy"]
        # By default ffmpeg analyses seconds of the input before it passes anything on; a live stack is configured not to.
        copy[4:4] = ["-probesize", "500k", "-analyzeduration", "0", "-fflags", "nobuffer"]
        copy += ["-flvflags", "no_duration_filesize", "-f", "flv", f"rtmp://127.0.0.1:{rtmp_port}/live/bench"]
        sender = stack.enter_context(process.running(copy, log, stdin=camera.stdout))
        camera.stdout.close()  # ffmpeg has its own copy: the pacer ends when ffmpeg does
        process.wait_until("ffmpeg → nginx-rtmp", playlist.exists, 20, sender, log)
        url = f"http://127.0.0.1:{http_port}/bench.m3u8"
        yield RtmpStack(url, playlist, idr_log, [sender.pid, *nginx])


@contextlib.contextmanager
def rtmp_to_hls(folder: Path) -> Iterator[tuple[int, list[int]]]:
    """nginx-rtmp that makes HLS of whatever is published, in `folder`/www; yields its port for RTMP and its process ids."""
    port = process.free_port()
    rtmp = _RTMP.format(folder=folder, rtmp_port=port)
    with _nginx(folder, process.free_port(), f"load_module {RTMP_MODULE};", rtmp) as pids:
        yield port, pids


@dataclass
class RtmpCounter:
    """A running nginx-rtmp that takes whatever is published."""

    port: int
    http_port: int

    def bytes_in(self) -> dict[str, int]:
        """What came of each stream so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/stat", timeout=5) as answer:
            found = xml.etree.ElementTree.parse(answer)
        return {stream.findtext("name", ""): int(stream.findtext("bytes_in", "0")) for stream in found.iter("stream")}


@contextlib.contextmanager
def rtmp_counter(folder: Path) -> Iterator[RtmpCounter]:
    """nginx-rtmp as the far end of relays; its statistics are those of one process."""
    http_port, rtmp_port = process.free_port(), process.free_port()
    rtmp = f"rtmp {{ server {{ listen 127.0.0.1:{rtmp_port}; application live {{ live on; }} }} }}"
    with _nginx(folder, http_port, f"load_module {RTMP_MODULE};\nmaster_process off;", rtmp, "location /stat { rtmp_stat all; }"):
        yield RtmpCounter(rtmp_port, http_port)


@contextlib.contextmanager
def rtmp_pushing(folder: Path, transport_stream: Path, urls: list[str]) -> Iterator[list[int]]:
    """The stream at its own pace → `ffmpeg -c copy` → RTMP → nginx, which pushes it to `urls`; yields the process ids of nginx."""
    http_port, rtmp_port = process.free_port(), process.free_port()
    pushes = " ".join(f"push {url};" for url in urls)
    rtmp = f"rtmp {{ server {{ listen 127.0.0.1:{rtmp_port}; application live {{ live on; {pushes} }} }} }}"
    log = folder / "ffmpeg.log"
    with _nginx(folder, http_port, f"load_module {RTMP_MODULE};", rtmp) as pids:
        with process.running(pacer(transport_stream, folder / "idr.log"), folder / "pacer.log", stdout=-1) as camera:
            copy = ["ffmpeg", "-nostdin", "-v", "error", "-probesize", "500k", "-f", "mpegts", "-i", "pipe:0", "-c", "copy"]
            copy += ["-flvflags", "no_duration_filesize", "-f", "flv", f"rtmp://127.0.0.1:{rtmp_port}/live/bench"]
            with process.running(copy, log, stdin=camera.stdout):
                camera.stdout.close()  # ffmpeg has its own copy: the pacer ends when ffmpeg does
                yield pids


def pacer(clip: Path, idr_log: Path) -> list[str]:
    """The command that plays the clip as a camera."""
    return [sys.executable, str(Path(__file__).with_name("pacer.py")), str(clip), str(idr_log)]
