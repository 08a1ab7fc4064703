"""Wi-Fi without radios: the kernel's mac80211_hwsim in the board itself. The first radio is the board's own; the others are other devices in range."""

import base64
import json

from machine import Failure, Machine

BOARD = "10.47.0.1"
"""The board's address on its own access point."""


def switch_on(machine: Machine, number: int) -> None:
    """Creates radios; wlan0 is the board's."""
    machine.run(f"modprobe mac80211_hwsim radios={number}; until [ -e /sys/class/net/wlan{number - 1} ]; do sleep 1; done", 120)


def open_access_point(machine: Machine, device: str, name: str, password: str) -> None:
    """Another WPA2 access point."""
    network = f'ssid={name.encode().hex()}\nmode=2\nfrequency=2412\nkey_mgmt=WPA-PSK\nproto=RSN\npairwise=CCMP\npsk="{password}"'
    _run_supplicant(machine, device, network)


class Phone:
    """A client on the board's access point."""

    def __init__(self, machine: Machine, device: str, name: str) -> None:
        self._machine = machine
        self._is_on = f"wpa_cli -p /run/{device} -i {device} status | grep -q wpa_state=COMPLETED"
        _run_supplicant(machine, device, f'ssid="{name}"\nkey_mgmt=NONE')
        self.comes_in()

    def comes_in(self) -> None:
        """Joins it, also after it was gone for a while."""
        self._machine.run(f"until {self._is_on} && hostname -I | grep -q '{BOARD} '; do sleep 1; done", 180)

    def ask(self, method: str, path: str, host: str = BOARD, body: object = None, token: str = "") -> tuple[str, str]:
        """Head and body of the response."""
        text = "" if body is None else json.dumps(body)
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(text)}", "Content-Type: application/json"]
        if token:
            head.append(f"Authorization: Bearer {token}")
        request = base64.b64encode("\r\n".join([*head, "", text]).encode()).decode()
        said = self._machine.run(f"bash -c 'exec 3<>/dev/tcp/{BOARD}/80; echo {request} | base64 --decode >&3; cat <&3'", 60)
        # The serial line drops carriage returns.
        head_text, _, body_text = said.partition("\n\n")
        return head_text, body_text

    def must(self, method: str, path: str, body: object = None, token: str = "") -> dict:
        """The body of a request that must succeed."""
        head, text = self.ask(method, path, body=body, token=token)
        if not head.startswith("HTTP/1.1 2"):
            raise Failure(f"{method} {path}: {head} {text}")
        return json.loads(text) if text.startswith("{") else {}


def _run_supplicant(machine: Machine, device: str, network: str) -> None:
    machine.run(f"cat >/run/{device}.conf <<'END'\nnetwork={{\n{network}\n}}\nEND\nwpa_supplicant -B -c /run/{device}.conf -i {device} -C /run/{device}", 60)
