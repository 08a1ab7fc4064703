"""Records and chats until the power fails, and checks afterwards: every acknowledged stream and message is there, every recording plays, and at most the sync
interval and one fragment of it are missing.

`use` notes facts (dictionaries, each with the time `at` which it was noted, in seconds since the epoch) as the site acknowledges them. `look` runs perchd after
the cut, in the virtual machine, and saves what it has. `compare` judges that on the host, where ffmpeg is fast.
"""

import json
import os
import shutil
import struct
import subprocess
import time

from .chat import Chat
from .daemon import PORT, Perchd
from .failure import require, wait_for

SYNC_SECONDS, FRAGMENT_SECONDS = 2, 1
# A picture reaches the recorder shortly after it was taken, and a sync takes time.
LATE_SECONDS = 0.5
# Seconds between messages of one user: the rate limit.
A_MESSAGE_SECONDS = 1.05
CAMERA = {"source": "test-pattern", "bitrate_kbps": 400}
ENVIRONMENT = {
    "PERCH_LIVE_AUTOSTART": "false", "PERCH_RECORDING_KEEP_FREE": "0 MB", "PERCH_RECORDING_SYNC_SECONDS": str(SYNC_SECONDS),
    "PERCH_LIMITS_WRITES_PER_SECOND": "1000", "PERCH_LIMITS_REQUESTS_PER_SECOND": "1000",
}


def daemon(lab, data, name="perchd", **more):
    """perchd with its data in this folder."""
    perchd = Perchd(lab, {**ENVIRONMENT, "PERCH_DATA_DIR": data, **more}, **CAMERA)
    perchd.data = data
    perchd.log = f"{lab.out}/{name}.log"
    return perchd


def is_up(perchd, seconds=60):
    """Waits until it answers; returns the seconds that took."""

    def answers():
        perchd.alive()
        return perchd.get("/healthz")[0] == 200

    return wait_for(answers, seconds, lambda: f"perchd does not answer: {perchd.last_words()}")[1]


def log_in(perchd):
    """The owner's token."""
    status, body = perchd.ask("POST", "/api/v1/auth/login", {"username": "ann", "password": "correct horse battery"}, seconds=60)
    require(status == 200, f"logging in: {status} {body}")
    return json.loads(body)["access_token"]


def recordings(perchd):
    """The recordings by their streams, as the site lists them."""
    status, body = perchd.get("/api/v1/recordings?limit=100", 20)
    require(status == 200, f"recordings: {status} {body[:200]}")
    return {item["stream"]: item for item in json.loads(body)["items"]}


def is_live(perchd):
    """True if a stream is resumed after a cut."""
    return perchd.camera().get("state") not in ("stopped", "off", None)


def use(perchd, token, note, chance, seconds, stream=None):
    """Goes live, chats and stops repeatedly, and notes what the site acknowledges. Begins with `stream` if that is already live."""
    end = time.monotonic() + seconds
    said, may_speak = 0, 0
    while time.monotonic() < end:
        if stream is None:
            status, body = perchd.ask("POST", "/api/v1/streams", {"title": "Nest box", "camera": "front", "record": True}, token, 30)
            require(status == 201, f"going live: {status} {body}")
            stream = json.loads(body)["id"]
            note({"stream": stream})
        stops = time.monotonic() + chance.uniform(5, 15)
        chat = Chat(PORT, stream, token)
        while time.monotonic() < min(stops, end):
            if time.monotonic() > may_speak:
                may_speak = time.monotonic() + A_MESSAGE_SECONDS
                said += 1
                note({"message": chat.say(f"message {said}"), "of": stream})
            for name, item in recordings(perchd).items():
                if name == stream:
                    note({"recorded": stream, "seconds": item["duration_seconds"]})
            time.sleep(chance.uniform(0, 0.4))
        chat.close()
        if time.monotonic() < end:
            note({"stopping": stream})
            status, body = perchd.ask("POST", f"/api/v1/streams/{stream}/stop", {}, token, 30)
            require(status == 200, f"stopping: {status} {body}")
            whole = wait_for(
                lambda name=stream: not (item := recordings(perchd)[name])["is_growing"] and item, 20, f"{stream}'s recording does not end"
            )[0]
            note({"recorded": stream, "seconds": whole["duration_seconds"], "whole": True})
            stream = None


def look(perchd, folder, streams):
    """Waits after a cut until perchd has closed the recordings, or has continued one for 2 s; stops it, and copies the recordings to a new folder. Writes
    FOLDER.json for `compare` and returns the same."""
    seen = {"up_seconds": round(is_up(perchd), 2), "streams": {}, "messages": []}
    left = recordings(perchd)
    seen["closed_seconds"] = round(seen["up_seconds"] + wait_for(
        lambda: not any(item["is_growing"] for item in recordings(perchd).values()) or is_live(perchd), 60,
        lambda: f"recordings that the cut left are not closed: {perchd.last_words()}",
    )[1], 2)
    if is_live(perchd):
        def goes_on():
            before = {stream: item["duration_seconds"] for stream, item in left.items()}
            growing = [item for item in recordings(perchd).values() if item["is_growing"]]
            return any(item["duration_seconds"] > before.get(item["stream"], 0) + 2 for item in growing)

        wait_for(goes_on, 60, lambda: f"a stream goes on and its recording does not: {perchd.last_words()}")
    for stream in streams:
        status, body = perchd.get(f"/api/v1/streams/{stream}", 20)
        seen["streams"][stream] = json.loads(body)["state"] if status == 200 else None
        path = f"/api/v1/streams/{stream}/messages?limit=100"
        cursor = "" if status == 200 else None
        while cursor is not None:
            status, body = perchd.get(path + cursor, 20)
            require(status == 200, f"messages: {status} {body[:200]}")
            page = json.loads(body)
            seen["messages"] += [item["id"] for item in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    seen["recordings"] = {stream: item["name"] for stream, item in recordings(perchd).items()}
    perchd.stop()
    checked = subprocess.run(
        (*perchd.command[:-1], "recordings", "verify"), env=perchd.environment, capture_output=True, text=True, timeout=60, check=False
    )
    seen["damage"] = (checked.stdout + checked.stderr).strip() if checked.returncode else ""
    if os.path.isdir(f"{perchd.data}/recordings"):
        shutil.copytree(f"{perchd.data}/recordings", folder)
    with open(f"{folder}.json.new", "w", encoding="utf-8") as file:
        json.dump(seen, file)
    os.rename(f"{folder}.json.new", f"{folder}.json")
    return seen


def boxes(data, at, end):
    """(type, first byte of the content, end) of each box of an MP4 file."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, at + size
        at += size


def inside(data, box, *path):
    """The first box with this path inside another one."""
    for kind in path:
        box = next(found for found in boxes(data, box[1], box[2]) if found[0] == kind)
    return box


def fragments(path):
    """(time of its first picture in seconds since the epoch, number of pictures, duration in seconds) of each fragment of a part."""
    with open(path, "rb") as file:
        data = file.read()
    found, taken_at = [], None
    for box in boxes(data, 0, len(data)):
        if box[0] == b"uuid":
            # After the user type: flags, milliseconds into the stream, milliseconds since the epoch.
            taken_at = struct.unpack_from(">q", data, box[1] + 16 + 4 + 8)[0] / 1000
        elif box[0] == b"moof":
            video = inside(data, box, b"traf")
            _, at, _ = inside(data, video, b"tfhd")
            flags, = struct.unpack_from(">I", data, at)
            # Base offset and description come before it.
            default_at = at + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
            ticks, = struct.unpack_from(">I", data, default_at) if flags & 8 else (0,)
            _, at, end = inside(data, video, b"trun")
            flags, count = struct.unpack_from(">II", data, at)
            at += 8 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
            durations = (struct.unpack_from(">I", data, place)[0] for place in range(at, end, (end - at) // count))
            ticks = sum(durations) if flags & 0x100 else ticks * count
            found.append((taken_at, count, ticks / 90_000))
    return found


def parts(folder, name):
    """The files of a recording."""
    paths = [f"{folder}/{name}.mp4"] + [f"{folder}/{name} part {number}.mp4" for number in range(2, 100)]
    return [path for path in paths if os.path.exists(path)]


def plays(path):
    """Decodes all pictures of a part; fails if one is missing or damaged."""
    pictures = sum(count for _, count, _ in fragments(path))
    done = subprocess.run(
        ("ffprobe", "-v", "warning", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path),
        capture_output=True, text=True, timeout=120, check=False,
    )
    require(not done.stderr.strip(), f"{os.path.basename(path)} does not play: {done.stderr.strip()[:300]}")
    require(done.stdout.strip() == str(pictures), f"{os.path.basename(path)} has {pictures} pictures, and ffmpeg shows {done.stdout.strip()}")


def compare(facts, folder):
    """Compares the findings of `look` after a cut with the facts noted before it. Returns a sentence."""
    with open(f"{folder}.json", encoding="utf-8") as file:
        seen = json.load(file)
    cut_at = facts[-1]["at"]
    require(not seen["damage"], f"perchd finds damage: {seen['damage'][:300]}")
    lost = [fact["stream"] for fact in facts if "stream" in fact and not seen["streams"].get(fact["stream"])]
    require(not lost, f"acknowledged streams are gone: {lost}")
    lost = [fact["message"] for fact in facts if "message" in fact and fact["message"] not in seen["messages"]]
    require(not lost, f"{len(lost)} acknowledged messages are gone: {lost}")
    live = "nothing was being recorded"
    for stream in {fact["recorded"] for fact in facts if "recorded" in fact}:
        told = [fact for fact in facts if fact.get("recorded") == stream]
        is_whole = told[-1].get("whole", False)
        is_due = lambda fact: fact.get("whole") or fact["at"] <= cut_at - SYNC_SECONDS - LATE_SECONDS  # noqa: E731
        due = max((fact["seconds"] for fact in told if is_due(fact)), default=0)
        files = parts(folder, seen["recordings"][stream]) if stream in seen["recordings"] else []
        # A resumed stream also has fragments from after the cut.
        before = [found for path in files for found in fragments(path) if found[0] < cut_at]
        seconds = sum(found[2] for found in before)
        require(seconds >= due - 0.01, f"{seconds:.2f} s are left of a recording of which {due:.2f} s were on the card ({told[-1]['seconds']:.2f} s written)")
        require(not is_whole or seconds <= due + 0.01, f"a recording of {due:.2f} s has become one of {seconds:.2f} s")
        if is_whole or any(fact.get("stopping") == stream for fact in facts):
            continue
        live = "nothing of the recording was due"
        if before:
            missing = cut_at - before[-1][0] - before[-1][2]
            live = f"the recording ends {missing:.1f} s before the cut"
            require(missing <= SYNC_SECONDS + FRAGMENT_SECONDS + LATE_SECONDS, live)
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            require(not name.endswith(".damaged"), f"{name}: a recording was put aside as damaged")
            if name.endswith(".mp4"):
                plays(f"{folder}/{name}")
    acknowledged = f"{len(seen['streams'])} streams and {sum('message' in fact for fact in facts)} messages are there"
    return f"{acknowledged}, {live}, closed {seen['closed_seconds']} s after the start"


def settled(facts, folder):
    """The facts that hold for the next cut of the same card, once `compare` has judged this one: a recording that was cut is complete at its new length."""
    with open(f"{folder}.json", encoding="utf-8") as file:
        seen = json.load(file)
    known = [fact for fact in facts if "stream" in fact or "message" in fact]
    for stream, name in seen["recordings"].items():
        if seen["streams"].get(stream) == "ended":
            seconds = sum(found[2] for path in parts(folder, name) for found in fragments(path))
            known.append({"recorded": stream, "seconds": seconds, "whole": True, "at": facts[-1]["at"]})
    return known
