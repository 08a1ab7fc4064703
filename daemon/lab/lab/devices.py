"""Kernel modules and video nodes of the virtual machine: load, find, break, unload."""

import glob
import os
import shutil
import subprocess

from .failure import Failure, require, wait_for

ENCODER = "perch_h264_m2m"
# Values of the encoder module's parameter `formats`.
ONLY = {"YU12": 1, "NV12": 2, "YUYV": 4}


def run(*command, seconds=20, check=True):
    """Runs a command; returns its output. A failure contains the output, too."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)}: no end after {seconds} s") from None
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def load(module, **parameters):
    """Loads a module and waits until udev has created its device files."""
    run("modprobe", module, *(f"{name}={value}" for name, value in parameters.items()))
    run("udevadm", "settle", "--timeout=10", check=False)


def unload(*modules):
    """Unloads modules, waiting for users that are just closing them."""
    for module in modules:
        if not os.path.exists(f"/sys/module/{module}"):
            continue
        wait_for(
            lambda module=module: subprocess.run(("rmmod", module), capture_output=True, check=False).returncode == 0,
            10,
            lambda module=module: f"rmmod {module} fails",
        )


def unload_all():
    """Unloads everything that the previous scenario may have left."""
    for module in ("snd-aloop", "vivid", "v4l2loopback", "vicodec", ENCODER, "gpio-sim"):
        subprocess.run(("rmmod", module), capture_output=True, check=False)


def nodes(name):
    """Video devices whose name from the driver contains `name`, lowest number first."""
    found = []
    for folder in glob.glob("/sys/class/video4linux/video*"):
        with open(f"{folder}/name", encoding="utf-8") as file:
            if name in file.read():
                found.append(int(os.path.basename(folder)[5:]))
    return [f"/dev/video{number}" for number in sorted(found)]


def node(name):
    """The only device of that name."""
    found = nodes(name)
    require(len(found) == 1, f"{len(found)} video nodes are named {name}, one was expected")
    return found[0]


def camera(**parameters):
    """Loads vivid as a single webcam; returns its device. Its smallest pictures are 320x180, at up to 60 frames a second."""
    load("vivid", n_devs=1, node_types="0x1", num_inputs=1, input_types="0x0", **parameters)
    return node("vivid")


def encoder(**parameters):
    """Loads our H.264 encoder; returns its device."""
    load(ENCODER, **parameters)
    return node("perch-h264-m2m")


def order(switch, value):
    """Sets a parameter of the running encoder module."""
    with open(f"/sys/module/{ENCODER}/parameters/{switch}", "w", encoding="ascii") as file:
        file.write(str(value))


def ordered(switch):
    """Reads a parameter of the encoder module."""
    with open(f"/sys/module/{ENCODER}/parameters/{switch}", encoding="ascii") as file:
        return file.read().strip()


def control(device, name, value):
    """Sets a control, such as vivid's fault injections."""
    run("v4l2-ctl", "-d", device, f"--set-ctrl={name}={value}")


def still_picture(device):
    """Makes vivid show bars without its moving text, so that two pictures can be compared."""
    control(device, "osd_text_mode", 2)


def raw_picture(device, path, fourcc, width=320, height=180):
    """Saves one raw picture of an otherwise unused camera."""
    words = run(
        "v4l2-ctl", "-d", device, f"--set-fmt-video=width={width},height={height},pixelformat={fourcc}",
        "--stream-mmap=3", "--stream-count=1", "--stream-to=/tmp/picture",
    )
    # Not directly into the shared folder: 9p cannot write from a camera's contiguous memory.
    shutil.move("/tmp/picture", path)
    require(os.path.getsize(path) > 0, f"v4l2-ctl got no picture from {device}: {words[-300:]}")
