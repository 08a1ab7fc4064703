"""A minimal HLS viewer: reads a media playlist, and fetches segments as a player would, without decoding."""

import http.client
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

POLL_SECONDS = 1.0
"""Half a segment: how often players ask for a live playlist that has not changed (RFC 8216bis §6.3.4)."""


@dataclass
class Playlist:
    """A parsed media playlist."""

    first_sequence: int = 0
    segments: list[tuple[str, float]] = field(default_factory=list)
    """Address as given, and duration in seconds."""

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return sum(duration for _, duration in self.segments)

    @property
    def last_sequence(self) -> int:
        """Media sequence number of the newest segment."""
        return self.first_sequence + len(self.segments) - 1


def parse(text: str) -> Playlist:
    """Reads a media playlist (RFC 8216bis §4.4)."""
    playlist, duration = Playlist(), 0.0
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "#EXT-X-MEDIA-SEQUENCE":
            playlist.first_sequence = int(value)
        elif name == "#EXTINF":
            duration = float(value.partition(",")[0])
        elif line and not line.startswith("#"):
            playlist.segments.append((line, duration))
    return playlist


def fetch(url: str) -> bytes:
    """The whole body."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def fetch_playlist(url: str) -> Playlist:
    """A missing playlist counts as an empty one."""
    try:
        return parse(fetch(url).decode())
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return Playlist()


def window_bytes(url: str) -> int:
    """Bytes of all segments in the playlist."""
    total = 0
    for name, _ in fetch_playlist(url).segments:
        request = urllib.request.Request(urllib.parse.urljoin(url, name), method="HEAD")
        with urllib.request.urlopen(request, timeout=10) as answer:
            total += int(answer.headers["Content-Length"])
    return total


class Viewer(threading.Thread):
    """One viewer: over one connection, requests the playlist every second and each new segment once."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = urllib.parse.urlsplit(url)
        self._ended = threading.Event()
        self._newest = -1
        self.segments = 0
        self.bytes = 0
        self.complaints: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=10)
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += POLL_SECONDS
            try:
                self._poll(connection)
            except (OSError, http.client.HTTPException) as error:
                self.complaints.append(f"{type(error).__name__}: {error}")
                connection.close()
        connection.close()

    def stop(self) -> None:
        """Ends it and waits for it."""
        self._ended.set()
        self.join()

    def _poll(self, connection: http.client.HTTPConnection) -> None:
        playlist = parse(self._get(connection, self._url.path).decode())
        if playlist.last_sequence < self._newest:
            self.complaints.append(f"media sequence went back from {self._newest} to {playlist.last_sequence}")
        if self._newest < 0:
            self._newest = playlist.last_sequence - 3  # where players join a live stream
        for number in range(max(self._newest + 1, playlist.first_sequence), playlist.last_sequence + 1):
            name, _ = playlist.segments[number - playlist.first_sequence]
            self.bytes += len(self._get(connection, urllib.parse.urljoin(self._url.path, name)))
            self.segments += 1
        self._newest = playlist.last_sequence

    @staticmethod
    def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise http.client.HTTPException(f"{path} answered {answer.status}")
        return body
