"""The tools and builds that the bench needs, and a description of the machine."""

import datetime
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from nginx import RTMP_MODULE

REPOSITORY = Path(__file__).resolve().parents[2]

_PACKAGES = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "nginx": "nginx", "wrk": "wrk", "h2load": "nghttp2-client", "openssl": "openssl"}


def install_tools() -> None:
    """Installs missing tools if it may (as root on Debian and derivatives), otherwise lists them."""
    missing = {package for tool, package in _PACKAGES.items() if not shutil.which(tool)}
    if not RTMP_MODULE.exists():
        missing.add("libnginx-mod-rtmp")
    if not missing:
        return
    names = sorted(missing)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"make bench needs these Debian packages: {' '.join(names)}\n  sudo apt-get install --no-install-recommends {' '.join(names)}")
    had_nginx = _nginx_service_runs()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], check=True, env=environment)
    if not had_nginx and _nginx_service_runs():
        # Debian starts installed services; the bench needs the program, not a site on port 80.
        subprocess.run(["systemctl", "disable", "--now", "nginx"], check=True)


def _nginx_service_runs() -> bool:
    return bool(shutil.which("systemctl")) and subprocess.run(["systemctl", "-q", "is-active", "nginx"], check=False).returncode == 0


def build() -> tuple[Path, Path]:
    """perchd as in the package (profile `dist`), and the segmenter alone (perch-media's example `segment_file`)."""
    return _build("-p", "perchd") / "perchd", build_example("perch-media", "segment_file")


def build_example(package: str, name: str) -> Path:
    """One of our examples, built with the package's profile."""
    return _build("-p", package, "--example", name) / "examples" / name


def _build(*what: str) -> Path:
    """Builds with the package's profile; returns the output folder."""
    subprocess.run(["cargo", "build", "--profile", "dist", "--locked", "--quiet", *what], cwd=REPOSITORY, check=True)
    said = subprocess.run(["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"], cwd=REPOSITORY, check=True, capture_output=True)
    return Path(json.loads(said.stdout)["target_directory"]) / "dist"


def describe(now: datetime.datetime) -> list[tuple[str, str]]:
    """Rows for the head of the report."""
    processor = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith(("model name", "Model"))), platform.machine())
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")) / 1e6
    system = next((line.partition("=")[2].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY_NAME")), "")
    return [
        ("date", f"{now:%Y-%m-%d %H:%M} UTC"),
        ("machine", f"{processor}, {os.cpu_count()} cores, {memory:.1f} GB, {platform.machine()}"),
        ("busy before", f"load average {os.getloadavg()[0]:.2f} (other work on the machine spoils the figures)"),
        ("system", f"{system}, Linux {platform.release()}"),
        ("Perch", _first_line("git", "-C", str(REPOSITORY), "describe", "--always", "--dirty")),
        ("ffmpeg", _first_line("ffmpeg", "-version").split(" Copyright")[0]),
        ("nginx", f"{_first_line('nginx', '-v')}; libnginx-mod-rtmp {_first_line('dpkg-query', '-W', '-f', '${Version}', 'libnginx-mod-rtmp')}"),
        ("wrk", _first_line("wrk", "-v").split(" Copyright")[0]),
    ]


def _lines(path: str) -> list[str]:
    return Path(path).read_text(errors="replace").splitlines() if Path(path).exists() else []


def _first_line(*argv: str) -> str:
    try:
        run = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10, check=False)
    except OSError:
        return "unknown"
    return run.stdout.strip().splitlines()[0] if run.stdout.strip() else "unknown"
