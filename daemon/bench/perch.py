"""perchd under test: one camera that plays the clip, as a `command` source, with the shipped defaults except for the settings below."""

import contextlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hls
import process
from nginx import pacer

_CONFIG = """
[server]
listen = ["127.0.0.1:{port}"]
metrics_from = ["127.0.0.1"]
data_dir = "{folder}/data"
max_connections = 4096

[live]
autostart = {autostart}
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

[recording]
keep_free = "0 MB"
"""

ACCOUNT = {"username": "bench", "password": "correct horse battery"}


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


    def set_up(self) -> str:
        """Sets the site up with ACCOUNT; its access token."""
        code = (self.idr_log.parent / "data" / "setup-code").read_text().strip()
        return self.post("/api/v1/setup", {"setup_code": code, **ACCOUNT})["access_token"]

    def streams(self) -> list[str]:
        """Ids of the streams that are live."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/streams?state=live&limit=50", timeout=5) as answer:
            return [stream["id"] for stream in json.load(answer)["items"]]

    def post(self, path: str, body: dict, token: str | None = None) -> dict:
        """What the API answers."""
        return self._ask("POST", path, body, token)

    def patch(self, path: str, body: dict, token: str) -> dict:
        """What the API answers."""
        return self._ask("PATCH", path, body, token)

    def _ask(self, method: str, path: str, body: dict, token: str | None) -> dict:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextlib.contextmanager
def live_stream(perchd: Path, folder: Path, clip: Path, more: str = "") -> Iterator[Perch]:
    """The clip at its own pace → perchd; ready when the first segment is listed. `more`: further sections of its configuration."""
    with _running(perchd, folder, clip, "true", lambda stream: hls.fetch_playlist(stream.playlist_url).segments, more) as stream:
        yield stream


@contextlib.contextmanager
def idle(perchd: Path, folder: Path, clip: Path, more: str = "") -> Iterator[Perch]:
    """The same with nothing live, with what is in `folder`/data, and with `more` sections of the configuration."""
    with _running(perchd, folder, clip, "false", Perch.metrics, more) as stream:
        yield stream


@contextlib.contextmanager
def own_stream(perchd: Path, folder: Path, clip: Path, record: bool) -> Iterator[Perch]:
    """Somebody goes live with the clip, and has it recorded or not; ready when the first segment is listed."""
    with idle(perchd, folder, clip) as stream:
        stream.post("/api/v1/streams", {"title": "bench", "record": record}, stream.set_up())
        yield stream


@contextlib.contextmanager
def _running(perchd: Path, folder: Path, clip: Path, autostart: str, is_ready: Callable[[Perch], object], more: str = "") -> Iterator[Perch]:
    folder.mkdir(parents=True, exist_ok=True)
    port, idr_log, log = process.free_port(), folder / "idr.log", folder / "perchd.log"
    command = ", ".join(f'"{argument}"' for argument in pacer(clip, idr_log))
    config = folder / "perch.toml"
    config.write_text(_CONFIG.format(port=port, folder=folder, command=command, autostart=autostart) + more)
    url = f"http://127.0.0.1:{port}/media/live/index.m3u8"
    with process.running([str(perchd), "--config", str(config), "run"], log) as daemon:
        stream = Perch(port, url, idr_log, [daemon.pid])
        process.wait_until("perchd", lambda: is_ready(stream), 20, daemon, log)
        yield stream
