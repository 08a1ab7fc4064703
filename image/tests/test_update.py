"""root/usr/lib/perch/update with a card's two systems and its store, without a board: partitions are files, and mount, systemctl and blockdev are
stand-ins."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "boot_test"))

from updates import pack

SCRIPT = Path(__file__).parent.parent / "root/usr/lib/perch/update"
DISK = "50455243"
OLD, NEW = b"the system before", b"the system after " * 5000
COMMAND_LINE = f"root=PARTUUID={DISK}-02 rootfstype=erofs quiet\n"


class Card(unittest.TestCase):
    """A card that runs system a."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.boot, self.state, self.said, self.here, self.partitions, self.tools = (
            self.folder / name for name in ("boot", "state", "said", "here", "partitions", "tools")
        )
        for path in (self.boot / "a", self.state / "perch", self.said, self.here, self.partitions, self.tools):
            path.mkdir(parents=True)
        (self.boot / "config.txt").write_text("kernel=vmlinuz\nos_prefix=a/\n")
        (self.boot / "a/vmlinuz").write_text("a's kernel")
        (self.partitions / f"{DISK}-02").write_bytes(OLD)
        (self.partitions / f"{DISK}-03").write_bytes(b"\0" * 200_000)
        (self.here / "flavour").write_text("debian\n")
        (self.here / "version").write_text("1.2.0+base20260301\n")
        self.runs("a")
        self.stand_in("mount", 'echo "$@" >>"$PERCH_STATE/../mounts"')
        self.stand_in("systemctl", 'echo "$@" >>"$PERCH_STATE/../told"; [ ! -e "$PERCH_STATE/../perchd.$1" ] || cat "$PERCH_STATE/../perchd.$1"')
        self.stand_in("blockdev", 'case $1 in --getsize64) echo 200000 ;; esac')
        self.key = self.new_key("key")
        public = self.key.with_suffix(".pub").read_text().split()
        (self.here / "update-signers").write_text(f'perch namespaces="perch-update" {public[0]} {public[1]}\n')

    def stand_in(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def new_key(self, name: str) -> Path:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True)
        return self.folder / name

    def runs(self, slot: str) -> None:
        """Sets the system that was started."""
        (self.folder / "cmdline").write_text(COMMAND_LINE.replace("-02", {"a": "-02", "b": "-03"}[slot]))

    def call(self, *arguments: str, patience: int = 0) -> subprocess.CompletedProcess:
        environment = os.environ | {
            "PATH": f"{self.tools}:{os.environ['PATH']}", "PERCH_BOOT": str(self.boot), "PERCH_STATE": str(self.state), "PERCH_HERE": str(self.here),
            "PERCH_UPDATE": str(self.said), "PERCH_WORD": str(self.folder / "word"), "PERCH_PARTITIONS": str(self.partitions),
            "PERCH_COMMAND_LINE": str(self.folder / "cmdline"), "PERCH_TRY_SECONDS": str(patience),
        }
        return subprocess.run([SCRIPT, *arguments], env=environment, check=False, capture_output=True, text=True, timeout=60)

    def update(self, files: dict[str, bytes] | None = None, *, key: Path | None = None, beside: dict[str, bytes] | None = None) -> Path:
        """An update as build.sh makes it, with additional files that its sums do not list."""
        files = {"flavour": b"debian\n", "version": b"1.2.1+base20260401\n", "boot/vmlinuz": b"b's kernel", "boot/cmdline.txt": COMMAND_LINE.encode(), "system.img": NEW} | (files or {})
        path = pack(self.folder / "new.update", list(files.items()), key or self.key)
        with tarfile.open(path, "a") as archive:
            for name, data in (beside or {}).items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return path

    def says(self) -> str:
        return (self.said / "state").read_text().strip()

    def perchd_is(self, state: str, status: str = "nothing is live") -> None:
        """Sets perchd's state as systemctl reports it."""
        (self.folder / "perchd.is-active").write_text(f"{state}\n")
        (self.folder / "perchd.show").write_text(f"{status}\n")

    def told(self) -> str:
        path = self.folder / "told"
        return path.read_text() if path.exists() else ""

    def is_untouched(self) -> None:
        self.assertEqual((self.partitions / f"{DISK}-03").read_bytes(), b"\0" * 200_000)
        self.assertEqual(sorted(path.name for path in self.boot.iterdir()), ["a", "config.txt"])
        self.assertNotIn("reboot", self.told())


class Installing(Card):
    def test_a_whole_one_is_written_beside_the_system_and_started_for_a_trial(self) -> None:
        done = self.call("install", str(self.update()))
        self.assertEqual((done.returncode, done.stderr, self.says()), (0, "", "restarting"))
        self.assertEqual((self.partitions / f"{DISK}-03").read_bytes(), NEW)
        self.assertEqual((self.partitions / f"{DISK}-02").read_bytes(), OLD)
        self.assertEqual((self.boot / "b/vmlinuz").read_text(), "b's kernel")
        self.assertIn(f"root=PARTUUID={DISK}-03 ", (self.boot / "b/cmdline.txt").read_text())
        self.assertIn("os_prefix=b/\n", (self.boot / "tryboot.txt").read_text())
        self.assertIn("os_prefix=a/\n", (self.boot / "config.txt").read_text())
        self.assertIn("reboot --reboot-argument=0 tryboot", self.told())
        self.assertEqual((self.folder / "mounts").read_text().split("\n")[-2], f"-o remount,ro {self.boot}")
        self.assertFalse((self.said / "work").exists())

    def test_what_is_no_update_changes_nothing(self) -> None:
        whole = self.update().read_bytes()
        for what, data in (("nothing", b""), ("a text", b"SHA256SUMS\n" * 100), ("its first half", whole[: len(whole) // 2]), ("its first block", whole[:512])):
            with self.subTest(what):
                (self.folder / "new.update").write_bytes(data)
                done = self.call("install", str(self.folder / "new.update"))
                self.assertEqual(done.returncode, 1)
                self.assertRegex(self.says(), "^refused this (is no update of Perch|update is damaged: download it again)$")
                self.is_untouched()

    def test_somebody_elses_is_refused(self) -> None:
        other = self.update({"flavour": b"raspberrypi\n"}).read_bytes()
        whole = self.update().read_bytes()
        end = whole.index(b"SHA256SUMS.sig")
        for what, data in (
            ("signed with another key", self.update(key=self.new_key("theirs")).read_bytes()),
            ("the signature is of other sums", whole[:end] + other[end:]),
            ("not signed", whole.replace(b"SHA256SUMS.sig", b"SHA256SUMS.gis")),
        ):
            with self.subTest(what):
                (self.folder / "new.update").write_bytes(data)
                self.assertEqual(self.call("install", str(self.folder / "new.update")).returncode, 1)
                self.assertRegex(self.says(), "^refused this (update is not from those who made this card|is no update of Perch)")
                self.is_untouched()

    def test_a_damaged_system_is_refused(self) -> None:
        whole = self.update().read_bytes()
        at = whole.index(NEW[:100]) + 4000
        (self.folder / "new.update").write_bytes(whole[:at] + b"!" + whole[at + 1 :])
        self.assertEqual(self.call("install", str(self.folder / "new.update")).returncode, 1)
        self.assertEqual(self.says(), "refused this update is damaged: download it again")
        self.is_untouched()

    def test_another_flavours_is_refused(self) -> None:
        self.assertEqual(self.call("install", str(self.update({"flavour": b"raspberrypi\n"}))).returncode, 1)
        self.assertEqual(self.says(), "refused this update is for cards of the flavour raspberrypi, and this one is of debian")
        self.is_untouched()

    def test_an_older_one_is_refused_unless_the_owner_says_so(self) -> None:
        """A signed update stays signed for ever: an old one would bring back its faults."""
        for version, is_older in (
            ("1.2.0+base20260301", False), ("1.2.0+base20260302", False), ("1.10.0+base20260101", False), ("1.2.0+base20260228", True),
            ("1.1.9+base20270101", True), ("1.2.0~rc1+base20270101", True), ("", True), ("$(reboot)", True), ("9" * 900, True),
        ):
            with self.subTest(version):
                self.setUp()
                old = self.update({"version": f"{version}\n".encode()}).rename(self.folder / "perch-9.9.9-debian.update")
                done = self.call("install", str(old))
                self.assertEqual(done.returncode, 1 if is_older else 0, done.stderr)
                if is_older:
                    self.assertRegex(self.says(), "^older this update( |'s )")
                    self.is_untouched()
                    self.assertEqual(self.call("install", "--older", str(old)).returncode, 0)
                self.assertEqual((self.partitions / f"{DISK}-03").read_bytes(), NEW)

    def test_one_without_a_version_is_older(self) -> None:
        old = self.update()
        files = [("flavour", b"debian\n"), ("boot/vmlinuz", b"b's kernel"), ("boot/cmdline.txt", COMMAND_LINE.encode()), ("system.img", NEW)]
        pack(old, files, self.key)
        self.assertEqual(self.call("install", str(old)).returncode, 1)
        self.assertTrue(self.says().startswith("older this update"), self.says())
        self.is_untouched()

    def test_a_version_beside_the_signed_one_counts_for_nothing(self) -> None:
        whole = self.update({"version": b"1.0.0+base20250101\n"}).read_bytes()
        (self.folder / "new.update").write_bytes(whole.replace(b"1.0.0+base20250101", b"9.0.0+base20250101"))
        self.assertEqual(self.call("install", str(self.folder / "new.update")).returncode, 1)
        self.assertEqual(self.says(), "refused this update is damaged: download it again")
        self.is_untouched()

    def test_endless_sums_do_not_fill_the_memory(self) -> None:
        """They are read before the signature is."""
        path = self.folder / "new.update"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name in ("SHA256SUMS", "SHA256SUMS.sig"):
                member = tarfile.TarInfo(name)
                member.size = 50_000_000
                archive.addfile(member, io.BytesIO(b"0" * member.size))
        self.stand_in("ssh-keygen", 'du --bytes --summarize "$PERCH_UPDATE/work" >>"$PERCH_STATE/../sizes"; exit 1')
        self.assertEqual(self.call("install", str(path)).returncode, 1)
        self.assertLess(int((self.folder / "sizes").read_text().split()[0]), 2_000_000)
        self.is_untouched()

    def test_one_that_is_too_large_is_refused(self) -> None:
        self.assertEqual(self.call("install", str(self.update({"system.img": b"x" * 200_001}))).returncode, 1)
        self.assertIn("larger than its place", self.says())
        self.is_untouched()

    def test_what_the_sums_do_not_name_is_left_where_it_is(self) -> None:
        done = self.call("install", str(self.update(beside={"boot/start4.elf": b"theirs", "boot/../config.txt": b"theirs"})))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(path.name for path in (self.boot / "b").iterdir()), ["cmdline.txt", "vmlinuz"])
        self.assertNotIn("theirs", (self.boot / "config.txt").read_text())

    def test_a_system_on_trial_takes_none(self) -> None:
        self.runs("b")
        self.assertEqual(self.call("install", str(self.update())).returncode, 1)
        self.assertIn("itself on trial", self.says())
        self.is_untouched()

    def test_a_worn_card_is_told(self) -> None:
        self.stand_in("dd", "head --bytes 100 >/dev/null; cat >/dev/null")
        self.assertEqual(self.call("install", str(self.update())).returncode, 1)
        self.assertIn("the card did not keep what was written", self.says())
        self.assertFalse((self.boot / "tryboot.txt").exists())
        self.assertNotIn("reboot", self.told())

    def test_what_nobody_thought_of_is_told_too(self) -> None:
        self.stand_in("mount", "exit 32")
        self.assertNotEqual(self.call("install", str(self.update())).returncode, 0)
        self.assertRegex(self.says(), "^refused something went wrong")


class Taking(Card):
    """An update that the owner has uploaded on the page."""

    def give(self) -> Path:
        (self.folder / "word").touch()
        return self.state / "perch/incoming.update"

    def test_it_is_installed_and_gone(self) -> None:
        self.update().rename(self.give())
        self.assertEqual((self.call("take").returncode, self.says()), (0, "restarting"))
        self.assertEqual((self.partitions / f"{DISK}-03").read_bytes(), NEW)
        self.assertEqual((list((self.state / "perch").iterdir()), (self.state / "update").exists(), (self.folder / "word").exists()), ([], False, False))

    def test_an_older_one_needs_the_owners_word(self) -> None:
        for is_said in (False, True):
            self.update({"version": b"1.1.0+base20260301\n"}).rename(self.give())
            if is_said:
                (self.folder / "word-older").touch()
            done = self.call("take")
            self.assertEqual((done.returncode, self.says().split()[0]), (0, "restarting") if is_said else (1, "older"))
            self.assertFalse((self.folder / "word-older").exists())

    def test_the_word_is_looked_at_and_never_opened(self) -> None:
        """perchd's folder may hold anything: a pipe without a writer would hold up whoever opens it."""
        self.update({"version": b"1.1.0+base20260301\n"}).rename(self.state / "perch/incoming.update")
        os.mkfifo(self.folder / "word")
        os.mkfifo(self.folder / "word-older")
        self.assertEqual((self.call("take").returncode, self.says()), (0, "restarting"))

    def test_a_refused_one_is_gone_too(self) -> None:
        self.give().write_text("nonsense")
        self.assertEqual((self.call("take").returncode, self.says()), (1, "refused this is no update of Perch"))
        self.assertEqual((list((self.state / "perch").iterdir()), (self.state / "update").exists(), (self.folder / "word").exists()), ([], False, False))

    def test_nothing_is_told_too(self) -> None:
        self.give()
        self.assertEqual((self.call("take").returncode, self.says()), (1, "refused there was nothing to install: give it again"))

    def test_a_way_to_another_file_is_not_gone(self) -> None:
        other = self.update()
        self.give().symlink_to(other)
        self.assertEqual((self.call("take").returncode, self.says()), (1, "refused this is no update of Perch"))
        self.assertTrue(other.exists())
        self.is_untouched()


class Trying(Card):
    def setUp(self) -> None:
        super().setUp()
        self.store = self.state / "perch/perch.redb"
        self.store.write_text("as a wrote it")
        self.assertEqual(self.call("install", str(self.update())).returncode, 0)
        (self.folder / "told").unlink()
        self.perchd_is("activating")

    def test_one_that_becomes_ready_is_kept_with_its_store(self) -> None:
        self.runs("b")
        self.assertEqual(self.call("before").returncode, 0)
        self.store.write_text("as b wrote it")
        self.perchd_is("active")
        self.assertEqual((self.call("try").returncode, self.says()), (0, "kept"))
        self.assertIn("os_prefix=b/\n", (self.boot / "config.txt").read_text())
        self.assertFalse((self.boot / "tryboot.txt").exists())
        for _ in range(2):
            self.assertEqual(self.call("before").returncode, 0)
            self.assertEqual((self.store.read_text(), (self.state / "before-trial").exists()), ("as b wrote it", False))

    def test_one_that_does_not_is_left_with_the_store_from_before(self) -> None:
        self.runs("b")
        for words in ("as b wrote it", "as b wrote it when it was started again"):
            self.assertEqual(self.call("before").returncode, 0)
            self.store.write_text(words)
        self.assertEqual(self.call("try").returncode, 0)
        self.assertIn("--no-block reboot\n", self.told())
        self.runs("a")
        self.assertEqual(self.call("before").returncode, 0)
        self.assertEqual((self.call("try").returncode, self.says()), (0, "left"))
        self.assertEqual(self.store.read_text(), "as a wrote it")
        self.store.write_text("as a went on")
        self.assertEqual(self.call("before").returncode, 0)
        self.assertEqual((self.store.read_text(), (self.state / "before-trial").exists()), ("as a went on", False))
        self.assertFalse((self.boot / "tryboot.txt").exists())

    def test_one_that_was_left_is_told_of_also_after_the_power_went(self) -> None:
        """The power fails right after the first start of the previous system: the report was in memory, and is lost."""
        self.runs("b")
        self.assertEqual(self.call("try").returncode, 0)
        self.runs("a")
        for _ in range(3):
            (self.said / "state").unlink()
            self.assertEqual((self.call("try").returncode, self.says()), (0, "left"))
        self.assertFalse((self.boot / "tryboot.txt").exists())
        self.assertTrue((self.state / "update-left").exists())
        self.assertEqual(self.call("install", str(self.update())).returncode, 0)
        self.assertFalse((self.state / "update-left").exists())

    def test_a_card_that_takes_nothing_still_tells_of_one_that_was_left(self) -> None:
        (self.state / "update-left").symlink_to("/nowhere/at-all")
        self.assertEqual((self.call("try").returncode, self.says()), (0, "left"))
        self.assertFalse((self.boot / "tryboot.txt").exists())

    def test_a_camera_that_is_missing_counts_only_where_it_was_there_before(self) -> None:
        waiting = "waiting for the camera: none is there"
        for before, expected in ((("active", "live"), "trial"), (("active", waiting), "kept"), (("activating", "nothing is live"), "kept")):
            with self.subTest(before):
                self.boot.joinpath("config.txt").write_text("kernel=vmlinuz\nos_prefix=a/\n")
                self.runs("a")
                self.perchd_is(*before)
                self.assertEqual(self.call("install", str(self.update())).returncode, 0)
                self.runs("b")
                self.perchd_is("activating", waiting)
                self.assertEqual((self.call("try").returncode, self.says()), (0, expected))
        self.assertNotIn("camera", (self.boot / "config.txt").read_text())

    def test_a_store_that_is_a_way_to_another_file_is_neither_copied_nor_followed(self) -> None:
        """perchd's folder is perchd's: root follows no link there."""
        theirs = self.folder / "theirs"
        theirs.write_text("somebody else's")
        self.store.unlink()
        self.store.symlink_to(theirs)
        self.runs("b")
        self.assertEqual(self.call("before").returncode, 0)
        self.assertFalse((self.state / "before-trial/b.redb").exists())
        self.store.unlink()
        self.store.write_text("as a wrote it")
        self.assertEqual(self.call("before").returncode, 0)
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        self.store.unlink()
        self.store.symlink_to(elsewhere)
        self.runs("a")
        self.assertEqual(self.call("before").returncode, 0)
        self.assertEqual((list(elsewhere.iterdir()), self.store.is_symlink(), self.store.read_text()), ([], False, "as a wrote it"))

    def test_a_trial_that_ended_before_perchd_began_leaves_the_store_alone(self) -> None:
        (self.state / "before-trial").mkdir()
        (self.state / "before-trial/new").write_text("half of a copy")
        self.assertEqual(self.call("before").returncode, 0)
        self.assertEqual((self.store.read_text(), (self.state / "before-trial").exists()), ("as a wrote it", False))

    def test_a_copy_of_an_earlier_trial_is_no_copy_of_this_one(self) -> None:
        """b was kept, and a is on trial now, before perchd was started again in b."""
        self.runs("b")
        self.assertEqual(self.call("before").returncode, 0)
        self.perchd_is("active")
        self.assertEqual(self.call("try").returncode, 0)
        self.store.write_text("as b wrote it")
        self.runs("a")
        self.assertEqual(self.call("before").returncode, 0)
        self.store.write_text("as a new a wrote it")
        self.runs("b")
        self.assertEqual(self.call("before").returncode, 0)
        self.assertEqual(self.store.read_text(), "as b wrote it")

    def test_a_boot_partition_that_cannot_be_read_keeps_nobody_out(self) -> None:
        (self.boot / "config.txt").unlink()
        self.assertEqual((self.call("before").returncode, self.store.read_text()), (0, "as a wrote it"))


if __name__ == "__main__":
    unittest.main()
