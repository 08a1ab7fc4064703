"""root/usr/lib/perch/board-files with wifi.txt and perch.toml, without a board: mount and perchd are stand-ins."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "root/usr/lib/perch/board-files"
SERIES_OF_BYTES = ["\ufeffnetwork = a\r\n", "network = a", "\n\n# network = b\n  network\t=\ta  \n"]


class BoardFiles(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.boot, self.run_folder, self.tools, self.state = (self.folder / name for name in ("boot", "run", "tools", "state"))
        for path in (self.boot, self.tools, self.state / "perch"):
            path.mkdir(parents=True)
        self.stand_in("mount", "echo mounted >>\"$PERCH_BOOT/../mounts\"")
        self.stand_in("perchd", "grep -q camera \"$2\" || { echo line 1: what is this; exit 1; }")

    def stand_in(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def take_over(self, wifi: str | None = None, config: str | None = None) -> None:
        for name, text in (("wifi.txt", wifi), ("perch.toml", config)):
            (self.boot / name).unlink(missing_ok=True)
            if text is not None:
                (self.boot / name).write_bytes(text.encode())
        environment = os.environ | {
            "PATH": f"{self.tools}:{os.environ['PATH']}", "PERCH_BOOT": str(self.boot), "PERCH_RUN": str(self.run_folder), "PERCH_ISSUE": str(self.folder / "issue"),
            "PERCH_STATE": str(self.state),
        }
        subprocess.run(["sh", str(SCRIPT)], env=environment, check=True)

    def errors(self) -> str:
        path = self.boot / "perch-errors.txt"
        return path.read_text() if path.exists() else ""

    def wifi(self) -> str:
        path = self.run_folder / "wifi.conf"
        return path.read_text() if path.exists() else ""

    def test_nothing_there_is_nothing_wrong(self) -> None:
        self.take_over()
        self.assertEqual((self.errors(), self.wifi()), ("", ""))
        self.assertFalse((self.folder / "mounts").exists(), "the card was written to for nothing")

    def test_any_editor_will_do(self) -> None:
        for text in SERIES_OF_BYTES:
            with self.subTest(text):
                self.take_over(text)
                self.assertIn("ssid=61\n", self.wifi())
                self.assertEqual(self.errors(), "")

    def test_a_name_cannot_leave_its_line(self) -> None:
        self.take_over('network = x"\\n}$(id)`id`\npassword = "};#$(id) \\\\')
        self.assertIn("ssid=" + b'x"\\n}$(id)`id`'.hex(), self.wifi())
        self.assertIn('psk=""};#$(id) \\\\"\n', self.wifi())
        self.assertEqual(self.errors(), "")

    def test_each_wrong_line_is_told_and_the_rest_holds(self) -> None:
        self.take_over("network = a\npassword = short\ncountry = ch\nname = -x\nssh-key = ssh-ed25519 AAAA\ncolour = red\nnonsense\nnetwork = " + "x" * 33)
        self.assertEqual([line.split(":")[0] for line in self.errors().splitlines()], [f"wifi.txt, line {number}" for number in range(2, 9)])
        self.assertIn("ssid=61\n", self.wifi())

    def test_what_is_put_right_is_no_longer_told(self) -> None:
        self.take_over("country = ch")
        self.assertTrue(self.errors())
        self.take_over("country = CH")
        self.assertEqual(self.errors(), "")
        self.assertFalse((self.folder / "issue/board.issue").exists())

    def test_a_time_zone_is_one_that_there_is(self) -> None:
        zone = self.run_folder / "localtime"
        self.take_over("time-zone = Europe/Berlin")
        self.assertEqual((os.readlink(zone), self.errors()), ("/usr/share/zoneinfo/Europe/Berlin", ""))
        for wrong in ("Berlin", "europe/berlin", "Europe", "../../../etc/shadow", "Europe/../Europe/Berlin", "/etc/shadow", "Europe/Berlin;reboot"):
            with self.subTest(wrong):
                self.take_over(f"time-zone = {wrong}")
                self.assertIn("line 1: there is no such time zone", self.errors())
                self.assertFalse(os.path.lexists(zone))

    def test_a_setup_code_of_ones_own_is_for_perchd_alone(self) -> None:
        code = self.state / "perch/setup-code"
        self.take_over("setup-code = Hens lay-eggs 4 me")
        self.assertEqual((code.read_text(), code.stat().st_mode & 0o777, self.errors()), ("Hens lay-eggs 4 me\n", 0o600, ""))
        for wrong in ("too short", "x" * 65, "caf\u00e9 caf\u00e9 caf\u00e9", "$(reboot) $(reboot)", ""):
            with self.subTest(wrong):
                self.take_over(f"setup-code = {wrong}")
                self.assertIn("line 1: a set-up code has 10 to 64", self.errors())
                self.assertNotIn("reboot", self.errors())
                self.assertEqual(code.read_text(), "Hens lay-eggs 4 me\n")

    def test_a_setup_code_is_written_over_no_other_file(self) -> None:
        """The folder is perchd's, which may have left links in it: root must not write through them."""
        theirs = self.folder / "theirs"
        for name in ("setup-code.new", "setup-code"):
            for kind in ("link", "hanging link", "folder", "link to a folder"):
                with self.subTest(f"{name}: {kind}"):
                    self.setUp()
                    theirs = self.folder / "theirs"
                    theirs.write_text("somebody else's\n")
                    (self.folder / "their folder").mkdir()
                    path = self.state / "perch" / name
                    if kind == "folder":
                        path.mkdir()
                    else:
                        path.symlink_to({"link": theirs, "hanging link": self.folder / "new", "link to a folder": self.folder / "their folder"}[kind])
                    self.take_over("setup-code = Hens lay-eggs 4 me")
                    self.assertEqual(theirs.read_text(), "somebody else's\n")
                    self.assertFalse((self.folder / "new").exists())
                    self.assertEqual(list((self.folder / "their folder").iterdir()), [])
                    code = self.state / "perch/setup-code"
                    self.assertEqual((code.is_symlink(), code.read_text(), code.stat().st_mode & 0o777), (False, "Hens lay-eggs 4 me\n", 0o600))

    def test_foreign_bytes(self) -> None:
        self.take_over("".join(map(chr, range(256))) * 40)
        self.assertIn("wifi.txt", self.errors())

    def test_a_wrong_configuration_is_not_used(self) -> None:
        self.take_over(config="[[camera]]\n")
        self.assertTrue((self.run_folder / "perchd.env").exists())
        self.take_over(config="nonsense")
        self.assertFalse((self.run_folder / "perchd.env").exists())
        self.assertIn("line 1: what is this", self.errors())


if __name__ == "__main__":
    unittest.main()
