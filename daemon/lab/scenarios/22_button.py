"""The button and the lamp on GPIO lines (gpiocdev): presses that bounce at 10 kHz start and stop a real stream; missing, unplugged and
stuck buttons are tolerated and reported; the lamp shows each state; a long press asks to switch the board off."""

import json
import os
import time

from lab import devices, gpio, picture
from lab.daemon import Perchd
from lab.failure import require, wait_for

SECONDS = 400
BUTTON, LAMP = 3, 17


def warnings(perchd):
    """The warnings that the page shows to an owner."""
    status, body = perchd.get("/api/v1/system")
    return " ".join(json.loads(body)["warnings"]) if status == 200 else ""


def streams(perchd):
    """All streams, live and past, newest first."""
    status, body = perchd.get("/api/v1/streams")
    return json.loads(body)["items"] if status == 200 else []


def goes_live(perchd, after=None):
    """Waits until another stream can be watched; returns it."""
    def look():
        newest = (streams(perchd) or [{}])[0]
        return newest if newest.get("state") == "live" and newest["id"] != after else None

    stream, _ = wait_for(look, 40, lambda: f"nothing goes live: {perchd.say()}")
    status, body = perchd.get(f"/media/{stream['id']}/index.m3u8")
    require(status == 200 and b"#EXTINF" in body, f"{status} {body}")
    return stream


def environment(lab, **more):
    """Settings of the button and the lamp."""
    os.makedirs(f"{lab.scratch}/runtime", exist_ok=True)
    return {
        # A restarted daemon finds nothing on the air.
        "PERCH_LIVE_AUTOSTART": "false", "PERCH_LIVE_RESUME_SECONDS": "0", "RUNTIME_DIRECTORY": f"{lab.scratch}/runtime",
        "PERCH_BUTTON_SOURCE": "gpio", "PERCH_BUTTON_CHIP": "panel", "PERCH_BUTTON_LINE": str(BUTTON),
        "PERCH_LAMP_ENABLED": "true", "PERCH_LAMP_CHIP": "lights", "PERCH_LAMP_LINE": str(LAMP),
    } | more


def check(lab):
    picture.decodes(f"{lab.out}/button.ts")


def guest(lab):
    data = f"{lab.scratch}/data"
    os.makedirs(data)
    # A card whose free space can be changed.
    devices.run("mount", "-t", "tmpfs", "-o", "size=600M", "data", data)
    try:
        return run(lab, data)
    finally:
        devices.run("umount", "--lazy", data, check=False)


def run(lab, data):
    """The scenario."""
    words = []
    panel, lights = gpio.Chip("panel"), gpio.Chip("lights").plug_in()
    with Perchd(lab, environment(lab), device="/dev/video0", encoder="software") as perchd:
        lit = lambda: lights.is_high(LAMP)  # pylint: disable=unnecessary-lambda-assignment
        missing = "The button does not work: there is no GPIO chip panel"
        wait_for(lambda: missing in warnings(perchd), 20, lambda: f"the missing button is not said: {warnings(perchd)!r}")
        words.append(warnings(perchd))
        gpio.soon_shows(lit, "fast")
        panel.plug_in()
        wait_for(lambda: warnings(perchd) == "", 10, lambda: f"the button is there: {warnings(perchd)!r}")
        gpio.soon_shows(lit, "off")
        button = gpio.Button(panel, BUTTON)
        token = perchd.set_up()

        # Without a camera the stream waits.
        button.press()
        wait_for(lambda: perchd.camera().get("state") == "waiting", 20, lambda: f"nothing starts: {perchd.say()}")
        gpio.soon_shows(lit, "slow")
        require(devices.camera() == "/dev/video0", "vivid's node has another number")
        stream = goes_live(perchd)
        perchd.wait_live(40)
        gpio.soon_shows(lit, "on")
        require(stream["user"]["username"] == "ann", f"{stream}")
        perchd.save("button.ts")
        devices.run("mount", "-o", "remount,size=200M", data)
        gpio.soon_shows(lit, "double-dark", 25)

        button.press()
        wait_for(lambda: streams(perchd)[0]["state"] == "ended", 20, lambda: f"it does not end: {perchd.say()}")
        status, body = perchd.get(f"/api/v1/streams/{stream['id']}")
        require(json.loads(body)["end_reason"] == "button", f"{status} {body}")
        status, body = perchd.ask("GET", "/api/v1/me/notifications", token=token)
        told = json.loads(body)["items"][0]
        require((told["kind"], told["reason"]) == ("stream_stopped", "button"), f"{told}")
        gpio.soon_shows(lit, "double")
        devices.run("mount", "-o", "remount,size=600M", data)
        gpio.soon_shows(lit, "off", 25)
        require(len(streams(perchd)) == 1, "bouncing made more than one stream")
        require(button.fastest >= 9000, f"the button bounced at {button.fastest:.0f} Hz only")
        words.append(f"bounced at {button.fastest / 1000:.1f} kHz")

        # Torn out while in use, and put back.
        panel.unplug()
        wait_for(lambda: missing in warnings(perchd), 20, lambda: f"the unplugged button is not said: {warnings(perchd)!r}")
        gpio.soon_shows(lit, "fast")
        panel.plug_in()
        wait_for(lambda: warnings(perchd) == "", 10, lambda: f"the button is back: {warnings(perchd)!r}")
        button = gpio.Button(panel, BUTTON)
        button.press()
        stream = goes_live(perchd, after=stream["id"])
        gpio.soon_shows(lit, "on")

        # Reported after five seconds, while it is still held.
        word = f"{lab.scratch}/runtime/poweroff"
        button.bounce(True)
        began = time.monotonic()
        wait_for(lambda: os.path.exists(word), 8, "the long press is not heard", 0.02)
        took = time.monotonic() - began
        require(4.9 <= took <= 5.5, f"the long press counts after {took:.2f} s")
        time.sleep(1)
        button.bounce(False)
        time.sleep(1)
        require(perchd.camera()["state"] == "live", "letting go after a long press is a press")
        words.append(f"long press after {took:.2f} s")
        perchd.stop()
        require(not lit(), "the lamp is on after the end")

    # A button that is already pressed when the daemon starts: active high, on a pulled-up line.
    with Perchd(lab, environment(lab, PERCH_BUTTON_ACTIVE="high"), device="/dev/video0", encoder="software") as perchd:
        wait_for(lambda: "pressed all the time" in warnings(perchd), 20, lambda: f"not said: {warnings(perchd)!r}")
        gpio.soon_shows(lit, "fast")
        button.turn(True)  # low: let go
        wait_for(lambda: warnings(perchd) == "", 10, lambda: f"still said: {warnings(perchd)!r}")
        time.sleep(1)
        require(perchd.camera()["state"] == "stopped", "letting go of a stuck button is a press")
        button.bounce(False)
        time.sleep(0.3)
        button.bounce(True)
        goes_live(perchd, after=stream["id"])
    return "; ".join(words)
