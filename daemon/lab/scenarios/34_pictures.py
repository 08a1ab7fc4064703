"""Uploaded pictures that are made to take memory, under the shipped unit's own limits (MemoryHigh=192M): each is refused or shown, the unit's memory
stays below the limit, and the stream goes on."""

import concurrent.futures
import http.client
import json
import os
import struct
import zlib

from lab import devices
from lab.daemon import PORT, Perchd
from lab.failure import require
from lab.systemd import Systemd

SECONDS = 400
HIGH = 192 << 20


def png(width, height, bits):
    """A transparent PNG with red, green, blue and alpha."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(1 + width * bits // 2)) for _ in range(height)]
    data = b"".join(rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def progressive(width, height):
    """A progressive JPEG of one colour: a scan of DC coefficients of one bit each (ITU-T T.81, B.2)."""
    blocks = -(-width // 8) * -(-height // 8)
    return (b"\xff\xd8\xff\xdb\0\x43\0" + b"\1" * 64 + b"\xff\xc2\0\x11\x08" + struct.pack(">HH", height, width) + b"\3\1\x11\0\2\x11\0\3\x11\0"
            + b"\xff\xc4\0\x14\0\1" + bytes(16) + b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0\0\0" + bytes(3 * blocks // 8 + 9) + b"\xff\xd9")


def prepare(lab):
    """The pictures: the machine would take minutes."""
    for name, data in (("deep", png(6000, 4190, 16)), ("large", png(3600, 3000, 8)), ("small", png(64, 64, 8)),
                       ("progressive", progressive(7300, 5500)), ("coefficients", progressive(4000, 3000))):
        with open(f"{lab.out}/{name}", "wb") as file:
            file.write(data)


def upload(token, data):
    """Status and words for a picture as somebody's avatar."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    try:
        connection.request("PUT", "/api/v1/me/avatar", data, {"Authorization": f"Bearer {token}", "Content-Type": "image/png"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("detail", "")
    finally:
        connection.close()


def of_unit(name):
    """A number or the lines of perchd's control group."""
    for folder, _, files in os.walk("/sys/fs/cgroup"):
        if folder.endswith("/perchd.service") and name in files:
            with open(f"{folder}/{name}", encoding="ascii") as file:
                return file.read().split()
    return []


def guest(lab):
    node = devices.camera()
    devices.encoder(formats=2)
    perchd = Perchd(lab, device=node, encoder="v4l2-m2m")
    with open(perchd.config, encoding="utf-8") as file:
        text = file.read().replace(perchd.data, "/var/lib/perch")
    with open(perchd.config, "w", encoding="utf-8") as file:
        file.write(text)
    with Systemd(lab, perchd.config) as systemd:
        try:
            perchd.log = "/run/lab/perchd.log"
            systemd.systemctl("start", "perchd.service")
            code = systemd.inside("cat", "/var/lib/perch/setup-code").strip()
            owner = {"setup_code": code, "username": "ann", "password": "correct horse battery"}
            status, body = perchd.ask("POST", "/api/v1/setup", owner, seconds=60)
            require(status == 201, f"setting up: {status} {body}")
            tokens = [json.loads(body)["access_token"]]
            people = [{"username": name, "password": "correct horse battery"} for name in ("ben", "cas")]
            for person in people:
                status, body = perchd.ask("POST", "/api/v1/users", person | {"role": "viewer"}, tokens[0], seconds=60)
                require(status == 201, f"an account for {person['username']}: {status} {body}")
                status, body = perchd.ask("POST", "/api/v1/auth/login", person, seconds=60)
                require(status == 200, f"{person['username']} logs in: {status} {body}")
                tokens.append(json.loads(body)["access_token"])
            seams, before = perchd.metric("seams"), int(of_unit("memory.current")[0])
            pictures = {}
            for name in ("deep", "large", "small", "progressive", "coefficients"):
                with open(f"{lab.out}/{name}", "rb") as file:
                    pictures[name] = file.read()
            said = {name: upload(tokens[0], data) for name, data in pictures.items()}
            expected = {"deep": 422, "large": 200, "small": 200, "progressive": 422, "coefficients": 422}
            require({name: status for name, (status, _) in said.items()} == expected, f"{said}")
            # All people at once: one is decoded after the other.
            with concurrent.futures.ThreadPoolExecutor() as crowd:
                at_once = list(crowd.map(lambda token: upload(token, pictures["large"])[0], tokens))
            require(set(at_once) <= {200, 503} and 200 in at_once, f"at once: {at_once}")
            peak, events = int(of_unit("memory.peak")[0]), of_unit("memory.events")
            reached = dict(zip(events[::2], map(int, events[1::2])))
            require(peak < HIGH and reached["high"] == 0, f"the unit's memory peaked at {peak >> 20} MiB: {reached}")
            require(systemd.show("NRestarts") == "0", "perchd was restarted")
            perchd.wait_segments(2, 30)
            require(perchd.metric("seams") == seams, "the stream has a seam")
            systemd.systemctl("stop", "perchd.service")
            return f"{before >> 20} MiB before, {peak >> 20} MiB at the peak, of {HIGH >> 20}; refused: {said['deep'][1]!r}, {said['coefficients'][1]!r}"
        finally:
            devices.run("cp", "/run/lab/perchd.log", f"{lab.out}/perchd.log", check=False)
