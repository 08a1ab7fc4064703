"""root/usr/lib/perch/wifi-choice with files written by perchd, without a board: systemctl is a stand-in."""

import os
import pwd
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "root/usr/lib/perch/wifi-choice"


class WifiChoice(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.choice, self.network = self.folder / "wifi-choice", self.folder / "state/wifi/network.conf"
        self.tools = self.folder / "tools"
        self.tools.mkdir()
        self.stand_in("systemctl", "echo \"$@\" >>\"$PERCH_STATE/../told\"")
        # Only root can use another user's permissions; the rest works without.
        self.stand_in("setpriv", "while [ \"${1#--}\" != \"$1\" ]; do case $1 in --clear-groups) shift ;; *) shift 2 ;; esac; done; exec \"$@\"")

    def stand_in(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def take_over(self) -> subprocess.CompletedProcess:
        environment = os.environ | {
            "PATH": f"{self.tools}:{os.environ['PATH']}", "PERCH_CHOICE": str(self.choice), "PERCH_STATE": str(self.folder / "state"),
            "PERCH_CHOICE_SECONDS": "0", "PERCH_USER": pwd.getpwuid(os.getuid()).pw_name,
        }
        return subprocess.run(["sh", str(SCRIPT)], env=environment, check=False, capture_output=True, text=True, timeout=30)

    def test_a_network_is_kept_for_root_alone_and_joined(self) -> None:
        self.choice.write_text('name 436166c3a9\npassword  "};#$(id) `id` \\ \ncountry CH\n')
        done = self.take_over()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertIn("    ssid=436166c3a9\n", self.network.read_text())
        self.assertIn('    psk=" "};#$(id) `id` \\ "\n', self.network.read_text())
        self.assertEqual(self.network.stat().st_mode & 0o777, 0o600)
        self.assertEqual((self.folder / "state/wifi/country").read_text(), "CH\n")
        self.assertEqual((self.folder / "told").read_text(), "--no-block restart perch-wifi.service\n")
        self.assertFalse(self.choice.exists())

    def test_an_open_network_has_no_password(self) -> None:
        self.choice.write_text("name 61\n")
        self.assertEqual(self.take_over().returncode, 0)
        self.assertIn("key_mgmt=NONE", self.network.read_text())

    def test_what_is_no_network_is_not_taken(self) -> None:
        for text in (
            "", "name\n", "name xyz\n", "name 616\n", "name " + "61" * 33 + "\n", "password 12345678\n", "name 61\npassword short\n",
            "name 61\npassword caf\u00e9caf\u00e9\n", "name 61\npassword " + "x" * 64 + "\n", "name 61;reboot\n", "name $(id)\n", "\0" * 400, "\n" * 10_000,
        ):
            with self.subTest(text[:40]):
                self.choice.write_text(text)
                done = self.take_over()
                self.assertEqual((done.returncode, self.network.exists(), self.choice.exists()), (1, False, False))
                self.assertNotIn("short", done.stderr)

    def test_what_is_no_file_keeps_nobody_waiting(self) -> None:
        os.mkfifo(self.choice)
        self.assertEqual(self.take_over().returncode, 1)
        self.choice.mkdir()
        self.assertEqual((self.take_over().returncode, self.choice.exists()), (1, False))


if __name__ == "__main__":
    unittest.main()
