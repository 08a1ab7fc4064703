"""perchd under test: one live stream from the clip, as a `command` source, with the shipped defaults except for the settings below."""

import contextlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hls
import process
from nginx import pacer

_CONFIG = """
[server]
listen = ["127.0.0.1:{port}"]
data_dir = "{folder}/data"
max_connections = 4096

[live]
autostart = true
segment_seconds = 2
window_seconds = 60

[limits]
requests_per_second = 1000000
writes_per_second = 1000000

[[camera]]
name = "bench"
source = "command"
command = [{command}]
width = 1280
height = 720
frames_per_second = 30
bitrate_kbps = 4000
keyframe_interval_seconds = 2
"""


@dataclass
class Perch:
    """A running perchd."""

    port: int
    playlist_url: str
    idr_log: Path
    pids: list[int]
    """Only perchd: its child is the camera."""

    def metrics(self) -> str:
        """The present text of `/metrics`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            return answer.read().decode()


@contextlib.contextmanager
def live_stream(perchd: Path, folder: Path, clip: Path) -> Iterator[Perch]:
    """The clip at its own pace → perchd; ready when the first segment is listed."""
    folder.mkdir(parents=True)
    port, idr_log, log = process.free_port(), folder / "idr.log", folder / "perchd.log"
    command = ", ".join(f'"{argument}"' for argument in pacer(clip, idr_log))
    config = folder / "perch.toml"
    config.write_text(_CONFIG.format(port=port, folder=folder, command=command))
    url = f"http://127.0.0.1:{port}/media/live/index.m3u8"
    with process.running([str(perchd), "--config", str(config), "run"], log) as daemon:
        process.wait_until("perchd", lambda: hls.fetch_playlist(url).segments, 20, daemon, log)
        yield Perch(port, url, idr_log, [daemon.pid])
