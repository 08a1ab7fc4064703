"""What `cross` is told, without containers."""

import subprocess
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TARGETS = ["aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf", "x86_64-unknown-linux-gnu"]


class Images(unittest.TestCase):
    def setUp(self) -> None:
        self.told = tomllib.loads((ROOT / "cross.toml").read_text())["target"]

    def test_they_are_for_the_targets_that_the_scripts_know(self) -> None:
        self.assertEqual(sorted(self.told), TARGETS)
        for target in TARGETS:
            named = subprocess.run(
                ["sh", "-euc", f'. cross/targets.sh; name_target {target}; echo "$DEBIAN_ARCHITECTURE $GNU"'],
                cwd=ROOT, capture_output=True, text=True, check=True,
            ).stdout.split()
            arguments = self.told[target]["dockerfile"]["build-args"]
            self.assertEqual([arguments["DEBIAN_ARCHITECTURE"], arguments["GNU"]], named)

    def test_an_engine_is_handed_the_folder_of_the_dockerfile_and_not_all_that_was_built(self) -> None:
        for target in TARGETS:
            self.assertEqual(self.told[target]["dockerfile"]["context"], "cross")

    def test_build_scripts_are_not_linked_for_the_target(self) -> None:
        """`cross` for arm64 set the linker of x86_64, too, and so of the build scripts: none of them would link."""
        for target in TARGETS:
            linker = f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER"
            self.assertEqual(self.told[target]["env"]["passthrough"], [f"{linker}=target-gcc"])
        self.assertNotIn("_LINKER", (ROOT / "cross/Dockerfile").read_text())


if __name__ == "__main__":
    unittest.main()
