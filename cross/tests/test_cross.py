"""The environment of `cross`, and the permitted needs of a built program, without containers: Docker, Podman, `cross` and readelf are stand-ins."""

import os
import subprocess
import tempfile
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
        """`cross` for arm64 also set the linker of x86_64, and so of the build scripts, none of which would link."""
        for target in TARGETS:
            linker = f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER"
            self.assertEqual(self.told[target]["env"]["passthrough"], [f"{linker}=target-gcc"])
        self.assertNotIn("_LINKER", (ROOT / "cross/Dockerfile").read_text())


class Engines(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.stand_in("tools/rustup", "")
        self.stand_in("cache/perch/cross-0.2.5/bin/cross", f'env >{self.folder}/told; echo "ARGUMENTS=$*" >>{self.folder}/told')

    def stand_in(self, name: str, script: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def told_with(self, docker: int, podman: int) -> dict[str, str]:
        """The environment that `cross` sees if both programs exist and exit with these codes."""
        self.stand_in("tools/docker", f"exit {docker}")
        self.stand_in("tools/podman", f"exit {podman}")
        environment = {
            "PATH": f"{self.folder}/tools:{os.environ['PATH']}", "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache"),
            "CARGO_TARGET_DIR": str(self.folder / "target"),
        }
        # The stand-in builds nothing, so the script ends with an error.
        subprocess.run([ROOT / "cross/build.sh", TARGETS[0]], env=environment, capture_output=True, check=False)
        return dict(line.split("=", 1) for line in (self.folder / "told").read_text().splitlines())

    def test_podman_is_taken_where_dockers_program_is_without_its_daemon(self) -> None:
        self.assertEqual(self.told_with(docker=1, podman=0)["CROSS_CONTAINER_ENGINE"], "podman")

    def test_docker_is_taken_where_both_answer(self) -> None:
        self.assertEqual(self.told_with(docker=0, podman=0)["CROSS_CONTAINER_ENGINE"], "docker")

    def test_rustups_default_toolchain_is_left_alone(self) -> None:
        """`cross` 0.2.5 had rustup update it, because it does not understand the text that rustup since 1.28 writes after its name."""
        oldest = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
        self.assertEqual(self.told_with(docker=0, podman=1)["ARGUMENTS"].split()[:2], [f"+{oldest}", "build"])

    def test_what_this_machine_compiled_for_itself_stays_out_of_the_container(self) -> None:
        """Its build scripts may ask for a newer glibc than the container's."""
        self.assertEqual(self.told_with(docker=0, podman=1)["CARGO_TARGET_DIR"], str(self.folder / "target/cross"))


class Needs(unittest.TestCase):
    def check(self, *versions: str) -> subprocess.CompletedProcess[str]:
        """The check of a program for arm64 that needs these versions."""
        with tempfile.TemporaryDirectory() as folder:
            readelf = Path(folder) / "readelf"
            names = "".join(f"  0x00: Name: {version}  Flags: none  Version: 4\n" for version in versions)
            readelf.write_text(
                f"""#!/bin/sh
                case "$*" in
                    *--file-header*) echo '  Machine:      AArch64' ;;
                    *--version-info*) printf '%s' '{names}' ;;
                    *--dynamic*) echo '(NEEDED)  Shared library: [libc.so.6]' ;;
                esac
                """
            )
            readelf.chmod(0o755)
            return subprocess.run(
                [ROOT / "cross/check.sh", TARGETS[0], readelf], env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
                capture_output=True, text=True, check=False,
            )

    def test_the_newest_version_is_told(self) -> None:
        said = self.check("GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.29", "GLIBCXX_3.4.9", "CXXABI_1.3.9")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertIn("needs GLIBC 2.34,GLIBCXX 3.4.9,CXXABI 1.3.9; libc.so.6", said.stdout)

    def test_a_program_without_cxx_needs_none_of_its_library(self) -> None:
        """The script ended here without a word."""
        said = self.check("GLIBC_2.34")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertIn("needs GLIBC 2.34; libc.so.6", said.stdout)

    def test_what_debian_12_does_not_have_is_refused(self) -> None:
        said = self.check("GLIBC_2.34", "GLIBC_2.38")
        self.assertEqual(said.returncode, 1)
        self.assertIn("needs GLIBC 2.38; Debian 12 has 2.36", said.stderr)
        self.assertIn("names no version of glibc", self.check().stderr)


if __name__ == "__main__":
    unittest.main()
