"""A board in software: the unmodified image in QEMU (aarch64, `virt`), started as a boot loader would.

The test acts as the boot loader: it reads kernel, initial RAM disk and command line from the image's FAT partition, as its config.txt says. It gets
a root shell through the kernel's command line (`systemd.debug_shell`), which is no back door: a person who can change that line controls the board anyway.
"""

import contextlib
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import cable

FAT_OFFSET = 4 << 20
"""Offset of the first partition (build.sh)."""
FAT_MEBIBYTES = 192
CARD_BYTES = "3G"
"""Size of the card, which is larger than the image."""
ROUTERS_ADDRESS = "10.0.2.15"
"""The first address that QEMU's router assigns."""
EXTRA = "/dev/disk/by-id/virtio-extra"
"""The board's second disk, if it has one."""
_PROMPT = re.compile(rb"@@(\d+)@@\r*\n")
"""Including the end of its line, which would otherwise precede the next command."""


class Failure(Exception):
    """An expectation was not met."""


def make_card(image: Path, card: Path) -> None:
    """A card with the image on it; writes go to `card`."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.resolve()), "-F", "raw", str(card), CARD_BYTES], check=True)


class BootFiles:
    """The system selected by a card's FAT partition, read as a Raspberry Pi's boot loader does: config.txt, or tryboot.txt for a trial."""

    def __init__(self, card: Path, folder: Path, config_name: str = "config.txt") -> None:
        fat = folder / "fat.img"
        subprocess.run(
            ["qemu-img", "dd", "-O", "raw", f"if={card}", f"of={fat}", "bs=1M", f"count={(FAT_OFFSET >> 20) + FAT_MEBIBYTES}"], check=True, capture_output=True
        )
        config = dict(re.findall(r"^(kernel|initramfs|os_prefix)[= ]([^ \n]+)", self._read(fat, config_name).decode(), re.MULTILINE))
        self.slot = config["os_prefix"].strip("/")
        self.kernel, self.initrd = folder / "vmlinuz", folder / "initrd.img"
        self.kernel.write_bytes(self._read(fat, config["os_prefix"] + config["kernel"]))
        self.initrd.write_bytes(self._read(fat, config["os_prefix"] + config["initramfs"]))
        self.command_line = self._read(fat, config["os_prefix"] + "cmdline.txt").decode().strip()
        fat.unlink()

    @staticmethod
    def _read(fat: Path, name: str) -> bytes:
        return subprocess.run(["mcopy", "-i", f"{fat}@@{FAT_OFFSET}", f"::{name}", "-"], check=True, capture_output=True).stdout


class Console:
    """A serial line with its whole history; waits have deadlines."""

    def __init__(self, path: Path, log: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + 20
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        self._log = log.open("ab")
        self._text = bytearray()
        self._news = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                self._log.write(data)
                self._log.flush()
                with self._news:
                    self._text += data
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def write(self, text: str) -> None:
        """Sends text."""
        self._socket.sendall(text.encode())

    def end(self) -> int:
        """The position of the next output."""
        with self._news:
            return len(self._text)

    def wait_for(self, pattern: bytes | re.Pattern[bytes], seconds: float, start: int = 0) -> re.Match[bytes]:
        """The first match at or after `start`."""
        until = time.monotonic() + seconds
        with self._news:
            while not (found := re.compile(pattern).search(self._text, start)):
                left = until - time.monotonic()
                if left <= 0 or self._ended:
                    tail = self._text[-1500:].decode(errors="replace")
                    raise Failure(f"{pattern!r} did not come within {seconds:.0f} s{' (the line is closed)' if self._ended else ''}; the last: {tail}")
                self._news.wait(left)
            return found

    def text(self, start: int, end: int) -> str:
        """A part of the output."""
        with self._news:
            return self._text[start:end].decode(errors="replace")

    def close(self) -> None:
        """Closes the line."""
        self._socket.close()


def write_on_boot_partition(image: Path, changed: Path, files: dict[str, str]) -> Path:
    """A copy of the image, with files added to its FAT partition as from a computer."""
    subprocess.run(["cp", "--sparse=always", str(image), str(changed)], check=True)
    for name, text in files.items():
        subprocess.run(["mcopy", "-o", "-i", f"{changed}@@{FAT_OFFSET}", "-", f"::{name}"], input=text.encode(), check=True)
    return changed


class Machine:
    """A running board, one at a time. Use it as a context manager: it is off afterwards."""

    def __init__(
        self, card: Path, boot: BootFiles, folder: Path, log_name: str, extra: Path | None = None, *,
        name: str = "perch.local", arguments: str = "", is_plugged: bool = True, is_writable: bool = True,
    ) -> None:
        self.name = name
        self._address: str | None = None
        sockets = {name: folder / f"{log_name}.{name}" for name in ("serial", "shell", "monitor")}
        for path in sockets.values():
            path.unlink(missing_ok=True)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-display", "none", "-no-reboot",
                # A Raspberry Pi has no clock that runs without power.
                "-rtc", "base=1970-01-01",
                "-kernel", str(boot.kernel), "-initrd", str(boot.initrd),
                # init writes to the last console. A busy computer may take minutes where a board takes seconds.
                "-append", f"{boot.command_line} console=ttyAMA0 systemd.debug_shell=ttyS0 systemd.show_status=no systemd.default_device_timeout_sec=300 {arguments}",
                "-drive", f"file={card},if=none,id=card,format=qcow2,readonly={'off' if is_writable else 'on'}", "-device", "virtio-blk-pci,drive=card",
                # Two networks: a router that assigns addresses but has no uplink, and the cable to us.
                "-netdev", "user,id=router,restrict=on", "-device", "virtio-net-pci,netdev=router",
                "-netdev", f"tap,id=cable,ifname={cable.DEVICE},script=no,downscript=no", "-device", "virtio-net-pci,netdev=cable",
                *(["-drive", f"file={extra},if=none,id=extra,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=extra,serial=extra"] if extra else []),
                "-device", "virtio-rng-pci", "-device", "i6300esb",
                "-chardev", f"socket,id=serial,path={sockets['serial']},server=on,wait=off", "-serial", "chardev:serial",
                "-chardev", f"socket,id=shell,path={sockets['shell']},server=on,wait=off", "-device", "pci-serial,chardev=shell",
                "-chardev", f"socket,id=monitor,path={sockets['monitor']},server=on,wait=off", "-mon", "chardev=monitor,mode=readline",
            ],
            stdin=subprocess.DEVNULL,
        )
        try:
            self.serial = Console(sockets["serial"], folder / f"{log_name}.serial.log")
            self._shell = Console(sockets["shell"], folder / f"{log_name}.shell.log")
            self._monitor = Console(sockets["monitor"], folder / f"{log_name}.monitor.log")
            for network in () if is_plugged else ("router", "cable"):
                self.plug(network, is_in=False)
        except BaseException:
            self.cut_power()
            raise
        self._has_shell = False

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()
        self.serial.close()
        self._shell.close()
        self._monitor.close()

    def plug(self, network: str, *, is_in: bool) -> None:
        """Plugs or unplugs `router` or `cable`."""
        start = self._monitor.end()
        self._monitor.write(f"set_link {network} {'on' if is_in else 'off'}\n")
        # The next prompt shows that it is done.
        self._monitor.wait_for(rb"set_link [^\n]*\n\(qemu\) ", 20, start)
        self._address = None

    def cut_power(self) -> None:
        """Cuts the power at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def address(self, seconds: float = 5) -> str:
        """The address of its name."""
        self._address = self._address or cable.find(self.name, seconds)
        if not self._address:
            raise Failure(f"nobody on the cable answers to {self.name}")
        return self._address

    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def run(self, command: str, seconds: float = 30) -> str:
        """The output of a command run as root; fails if the command does."""
        output, code = self.try_to(command, seconds)
        if code != 0:
            raise Failure(f"`{command}` ended with {code}: {output.strip()[-600:]}")
        return output

    def try_to(self, command: str, seconds: float = 30) -> tuple[str, int]:
        """The output and exit code of a command."""
        if not self._has_shell:
            self._wait_for_shell(180)
        start = self._shell.end()
        self._shell.write(f"{{ {command}\n}} </dev/null; echo @@$?@@\n")
        end = self._shell.wait_for(_PROMPT, seconds, start)
        return self._shell.text(start, end.start()).replace("\r", ""), int(end[1])

    def why_not(self, unit: str) -> str:
        """The board's report on a unit that failed to start."""
        commands = ["systemctl list-jobs --no-pager", "systemctl --failed --no-legend --plain", f"journalctl --no-pager --lines 30 --unit {unit}"]
        return "\n".join(self.try_to(command, 120)[0] for command in [*commands, "journalctl --no-pager --lines 60 --output short-monotonic"])

    def has_no_failed_unit(self) -> None:
        """Fails if there are failed units, with their names and the kernel's complaints: an emulated processor may stand still for a while."""
        failed = self.run("SYSTEMD_COLORS=0 systemctl --failed --no-legend --plain").strip()
        if failed:
            complaints, _ = self.try_to("dmesg | grep -E 'BUG|rcu: INFO| (pc|lr) : ' | tail -n 6", 60)
            raise Failure("; ".join(filter(None, [failed, *complaints.strip().split("\n")])))

    def _wait_for_shell(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            start = self._shell.end()
            # Before the shell runs, typed input may be lost.
            self._shell.write("set +o emacs; stty -echo; PS1=; PS2=; echo @@$?@@\n")
            try:
                self._shell.wait_for(_PROMPT, 5, start)
                break
            except Failure:
                if time.monotonic() > until:
                    raise
        # Output of earlier commands.
        self._shell.write("echo @@77@@\n")
        self._shell.wait_for(rb"@@77@@\r*\n", 20, start)
        time.sleep(0.2)
        self._has_shell = True

    def wait_for_off(self, seconds: float) -> None:
        """Waits until it has switched itself off, or restarts."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"it was not off after {seconds:.0f} s") from None

