"""A client of the site on a board."""

import contextlib
import http.client
import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from machine import Failure, Machine

START_SECONDS = 420
"""Seconds until everything is up, on a busy machine."""
PASSWORD = "a cat on the keyboard"


def _json(data: bytes) -> dict:
    return json.loads(data) if data.startswith(b"{") else {}


class Site:
    """Uses the board's name, which the board itself announces; responses are JSON."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._token: str | None = None

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """Status and body."""
        request = urllib.request.Request(f"http://{self._machine.address()}{path}", method=method)
        request.add_header("Host", self._machine.name)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, data = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, data = error.code, error.read()
        return status, _json(data)

    def give(self, path: str, data: bytes | Path) -> tuple[int, dict]:
        """Sends bytes or a file with PUT. The server may refuse it before it has read everything."""
        length = data.stat().st_size if isinstance(data, Path) else len(data)
        headers = {"Host": self._machine.name, "Content-Length": str(length), "Content-Type": "application/octet-stream", "Authorization": f"Bearer {self._token}"}
        with contextlib.ExitStack() as open_things:
            body = open_things.enter_context(data.open("rb")) if isinstance(data, Path) else data
            connection = open_things.enter_context(contextlib.closing(http.client.HTTPConnection(self._machine.address(), timeout=600)))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("PUT", path, body, headers)
            answer = connection.getresponse()
            return answer.status, _json(answer.read())

    def give_update(self, update: Path) -> None:
        """Uploads an update, as the owner does in the settings."""
        status, answer = self.give("/api/v1/system/update", update)
        if status != 202:
            raise Failure(f"PUT of an update: {status} {answer}")

    def must(self, method: str, path: str, body: object = None) -> dict:
        """The body of a request that must succeed."""
        status, answer = self.ask(method, path, body)
        if status >= 300:
            raise Failure(f"{method} {path}: {status} {answer}")
        return answer

    def wait_for(self, path: str, seconds: float, is_there=lambda answer: True) -> dict:
        """Repeats a request until its response is as wanted."""
        until = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < until:
            try:
                status, answer = self.ask("GET", path)
                last = (status, answer)
                if status == 200 and is_there(answer):
                    return answer
            except (OSError, Failure) as failure:
                last = failure
            time.sleep(1)
        raise Failure(f"{path} did not answer as wished within {seconds:.0f} s; the last: {last}")

    def comes_up(self) -> None:
        """Waits until the site answers at the board's name, and perchd has told systemd that it is ready. It asks from outside, because commands on an
        emulated board slow its start down."""
        try:
            self.wait_for("/api/v1/settings", START_SECONDS)
            self._machine.run("until systemctl --quiet is-active perchd; do sleep 1; done", 60)
        except Failure as failure:
            raise Failure(f"{failure}: {self._machine.why_not('perchd')}") from None

    def log_in(self) -> None:
        """Logs in as the owner."""
        self._token = None
        self._token = self.must("POST", "/api/v1/auth/login", {"username": "ann", "password": PASSWORD})["access_token"]

    def frames(self, stream: str, seconds: float) -> dict:
        """ffprobe's result for the newest segments, fetched from outside: size, codec, and the number of decoded pictures."""
        playlist = f"http://{self._machine.address()}/media/{stream}/index.m3u8"
        command = [
            "ffprobe", "-v", "error", "-headers", f"Host: {self._machine.name}\r\n", "-read_intervals", "%+2", "-select_streams", "v:0", "-count_frames",
            "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "json", playlist,
        ]
        found = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        if found.returncode != 0 or found.stderr.strip():
            raise Failure(f"ffprobe: {found.stderr.strip()[-400:]}")
        return json.loads(found.stdout)["streams"][0]
