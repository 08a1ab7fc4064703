"""Arguments of build.sh and build-again.sh, checked before they build anything."""

import subprocess
import tempfile
import unittest
from pathlib import Path

IMAGE = Path(__file__).parent.parent


class CalledFromAnotherFolder(unittest.TestCase):
    """Calls them as `make image` does: from the top folder, with a path relative to it."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "perch.deb").write_text("This is not a package.\n" * 9)

    def call(self, script: str, *arguments: str) -> str:
        return subprocess.run([IMAGE / script, *arguments], cwd=self.folder, capture_output=True, text=True, check=False).stderr

    def test_build_finds_the_package(self) -> None:
        self.assertIn("there is no flavour nonsense", self.call("build.sh", "nonsense", "perch.deb"))

    def test_build_says_which_package_is_not_there(self) -> None:
        self.assertIn("other.deb: No such file", self.call("build.sh", "nonsense", "other.deb"))

    def test_build_again_finds_the_package(self) -> None:
        self.assertRegex(self.call("build-again.sh", "perch.deb"), "perch.deb' is not a Debian format archive")


if __name__ == "__main__":
    unittest.main()
