"""Bytes written to a disk for each coded byte of a recording at 2.5 Mb/s for a minute, and flushes, from the kernel's block statistics; beside nginx-rtmp's
`record all` and ffmpeg's conversion.
"""

import contextlib
import json
import os
import subprocess
import sys
import time

from lab import block_log, cut_recordings, devices
from lab.daemon import Perchd
from lab.failure import Failure, require, wait_for
from lab.written import Written

SECONDS = 300
USED_SECONDS, SYNC_SECONDS = 60, 2
MOST_BYTES = 1.02
CARD_BYTES = 160 << 20
FRAMES_PER_SECOND, BITRATE = 25, 2_500_000
NGINX = """
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
user root;
daemon off;
pid {scratch}/nginx.pid;
error_log {out}/nginx.log;
events {{ }}
rtmp {{ access_log off; server {{ listen 127.0.0.1:1935; application live {{ live on; record all; record_path {card}; }} }} }}
"""


def prepare(lab):
    """On the host, where x264 is fast: makes the clip that both record. Noise makes x264 use the whole bit rate."""
    rate = str(BITRATE)
    devices.run(
        "ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={FRAMES_PER_SECOND},noise=alls=20:allf=t,format=yuv420p",
        "-t", str(USED_SECONDS + 10), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", rate, "-maxrate", rate,
        "-bufsize", str(BITRATE // 2), "-g", str(2 * FRAMES_PER_SECOND), "-f", "mpegts", f"{lab.out}/clip.ts", seconds=300,
    )


@contextlib.contextmanager
def card(lab, name):
    """A disk with ext4 and the image's mount options; yields (device, folder)."""
    path, folder = f"{lab.scratch}/{name}-card", f"{lab.scratch}/{name}"
    with open(path, "wb") as file:
        file.truncate(CARD_BYTES)
    with block_log.loop(path) as device:
        # With lazy initialisation the kernel would write the tables later, and they would be counted.
        devices.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device, seconds=60)
        with block_log.mounted(device, folder, "noatime,commit=5"):
            devices.run("sync")
            yield device, folder


def guest(lab):
    with card(lab, "perch") as ours, card(lab, "nginx") as theirs:
        with rtmp_records(lab, *theirs) as peer:
            told = {"perch": perch_records(lab, *ours), "nginx": peer()}
    with open(f"{lab.out}/written.json", "w", encoding="utf-8") as file:
        json.dump(told, file)
    return ""


def perch_records(lab, device, folder):
    """Records for a minute. The store is on another disk, so that only the recording, its index and the file system's metadata count."""
    pace = f"{os.path.dirname(os.path.abspath(cut_recordings.__file__))}/pace.py"
    environment = {**cut_recordings.ENVIRONMENT, "PERCH_RECORDING_FOLDER": folder, "PERCH_RECORDING_SYNC_SECONDS": str(SYNC_SECONDS)}
    command = [sys.executable, pace, f"{lab.out}/clip.ts", str(USED_SECONDS + 10)]
    camera = {"source": "command", "command": command, "width": 640, "height": 360, "frames_per_second": FRAMES_PER_SECOND}
    with Perchd(lab, environment, **camera) as perchd:
        cut_recordings.is_up(perchd)
        token = perchd.set_up()
        before = Written.to(device)
        status, body = perchd.ask("POST", "/api/v1/streams", {"title": "Nest box", "camera": "front", "record": True}, token, 30)
        require(status == 201, f"going live: {status} {body}")
        stream = json.loads(body)["id"]

        def seconds():
            return cut_recordings.recordings(perchd).get(stream, {"duration_seconds": 0})["duration_seconds"]

        wait_for(lambda: seconds() >= USED_SECONDS, 2 * USED_SECONDS, lambda: f"the recording does not grow: {perchd.say()}", 0.5)
        require(perchd.ask("POST", f"/api/v1/streams/{stream}/stop", {}, token, 30)[0] == 200, "the stream does not stop")
        wait_for(lambda: not cut_recordings.recordings(perchd)[stream]["is_growing"], 20, "the recording does not end")
        name, length = cut_recordings.recordings(perchd)[stream]["name"], seconds()
    devices.run("sync")
    written = Written.to(device) - before
    devices.run("cp", *cut_recordings.parts(folder, name), f"{lab.out}/perch.mp4", seconds=60)
    return {"seconds": length, "bytes": written.bytes, "flushes": written.flushes}


@contextlib.contextmanager
def rtmp_records(lab, device, folder):
    """Sends the same clip to nginx-rtmp at the same time; yields a function that waits for the end and converts the file."""
    with open(f"{lab.scratch}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(NGINX.format(scratch=lab.scratch, out=lab.out, card=folder))
    before = Written.to(device)
    nginx = subprocess.Popen(("nginx", "-p", lab.scratch, "-c", f"{lab.scratch}/nginx.conf"), stdin=subprocess.DEVNULL)
    time.sleep(1)
    send = subprocess.Popen(
        ("ffmpeg", "-nostdin", "-v", "error", "-re", "-t", str(USED_SECONDS), "-i", f"{lab.out}/clip.ts", "-c", "copy", "-f", "flv")
        + ("rtmp://127.0.0.1/live/nest",),
        stdin=subprocess.DEVNULL,
    )

    def converts():
        require(send.wait(2 * USED_SECONDS) == 0, "ffmpeg does not send to nginx-rtmp")
        wait_for(lambda: os.path.exists(f"{folder}/nest.flv"), 10, "nginx-rtmp records nothing")
        time.sleep(1)
        devices.run("sync")
        recorded = Written.to(device) - before
        devices.run("ffmpeg", "-nostdin", "-v", "error", "-i", f"{folder}/nest.flv", "-c", "copy", f"{folder}/nest.mp4", seconds=120)
        devices.run("sync")
        written = Written.to(device) - before
        devices.run("cp", f"{folder}/nest.mp4", f"{lab.out}/nginx.mp4", seconds=60)
        return {"seconds": USED_SECONDS, "bytes": written.bytes, "flushes": written.flushes, "before_conversion": recorded.bytes}

    try:
        yield converts
    finally:
        for process in (send, nginx):
            process.kill()
            process.wait(10)


def coded(path):
    """Bytes of all coded pictures in a file."""
    sizes = devices.run("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=size", "-of", "csv=p=0", path, seconds=60)
    return sum(int(word.strip(",")) for word in sizes.split())


def check(lab):
    with open(f"{lab.out}/written.json", encoding="utf-8") as file:
        told = json.load(file)
    rows = []
    for who, file in (("perchd", "perch"), ("nginx-rtmp and ffmpeg", "nginx")):
        found = told[file]
        found["coded"] = coded(f"{lab.out}/{file}.mp4")
        found["ratio"] = found["bytes"] / found["coded"]
        rows.append(
            f"{who}: {found['coded']} bytes coded in {found['seconds']:.0f} s, {found['bytes']} written: {found['ratio']:.4f}, {found['flushes']} flushes"
        )
    rows[-1] += f" ({told['nginx']['before_conversion'] / told['nginx']['coded']:.4f} before the conversion)"
    ours = told["perch"]
    # ext4 flushes twice for each sync: before and after the commit block of its journal. Six more syncs at the beginning and the end are for folder and files.
    most = 2 * (ours["seconds"] / SYNC_SECONDS + 6)
    if ours["ratio"] > MOST_BYTES:
        raise Failure(f"more than {MOST_BYTES} bytes are written for each coded byte: {'; '.join(rows)}")
    if ours["flushes"] > most:
        raise Failure(f"more than {most:.0f} flushes: {'; '.join(rows)}")
    return "; ".join(rows)
