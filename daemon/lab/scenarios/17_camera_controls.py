"""A camera's controls over HTTP while it streams: listed, set all or none, and set again when it is reopened."""

import json

from lab import devices, pipeline
from lab.failure import require

CAMERA = "/api/v1/cameras/front"


def value(node, control):
    """The driver's value of a control."""
    return int(devices.run("v4l2-ctl", "-d", node, f"--get-ctrl={control}").split(":")[1])


def guest(lab):
    with pipeline.streaming(lab) as (perchd, node):
        token = perchd.set_up()

        def patch(**values):
            status, body = perchd.ask("PATCH", f"{CAMERA}/controls", values, token, seconds=20)
            return status, json.loads(body)

        status, body = perchd.ask("GET", CAMERA, token=token, seconds=20)
        require(status == 200, f"{status} {body}")
        camera = json.loads(body)
        sizes = {(mode["width"], mode["height"]) for mode in camera["ability"]["modes"]}
        require((320, 180) in sizes, f"vivid's smallest size is not offered: {sizes}")
        controls = {control["id"]: control for control in camera["controls"]}
        kinds = {control["kind"] for control in controls.values()}
        require(kinds == {"integer", "boolean", "menu", "button"}, f"kinds: {kinds}")
        brightness = controls["brightness"]
        require((brightness["min"], brightness["max"], brightness["value"]) == (0, 255, 128), f"{brightness}")
        require("disconnect" not in controls, "a test driver's own controls are none of the picture's")
        for menu in (control for control in controls.values() if control["kind"] == "menu"):
            numbers = [item["value"] for item in menu["items"]]
            require(menu["value"] in numbers and all(item["name"] for item in menu["items"]), f"{menu}")

        seams = perchd.metric("seams")
        status, answer = patch(brightness=200, gain_automatic=False, gain=50, horizontal_flip=True)
        require(status == 200, f"{status} {answer}")
        for name, expected in {"brightness": 200, "gain_automatic": 0, "gain": 50, "horizontal_flip": 1}.items():
            require(value(node, name) == expected, f"{name} is {value(node, name)}")
        perchd.wait_segments(2, 10)
        require(perchd.metric("seams") == seams, "setting controls broke the stream")

        status, answer = patch(contrast=10, brightness=999)
        require((status, answer.get("field")) == (422, "brightness"), f"{status} {answer}")
        require("from 0 to 255" in answer["detail"], answer["detail"])
        require(value(node, "contrast") == 128, "a part of what was refused was set")
        refusal = answer["detail"]
        require(patch(contrast=11, button=True)[0] == 200, "a button is not pressed")

        devices.control(node, "brightness", 1)
        took = perchd.recovers(lambda: devices.control(node, "disconnect", 1))
        require(value(node, "brightness") == 200, "brightness was not set again after the camera came back")

        perchd.stop()
        devices.control(node, "brightness", 1)
        perchd.start()
        perchd.wait_live()
        require((value(node, "brightness"), value(node, "contrast")) == (200, 11), "not set again after a restart")
    return f"{len(controls)} controls of {len(kinds)} kinds; {refusal!r}; set again {took:.1f} s after the camera was away, and after a restart"
