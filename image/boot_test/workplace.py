"""Shared by the programs here: arguments, a working folder with the image, and the cable."""

import argparse
import contextlib
import lzma
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cable


def arguments_of(description: str) -> argparse.ArgumentParser:
    """The arguments of both programs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("image", type=Path)
    parser.add_argument("update", type=Path, help="of the same build")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the moments at which the power goes")
    parser.add_argument("--keep", type=Path, help="folder for consoles and cards")
    return parser


@contextlib.contextmanager
def workplace(arguments: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """A working folder with the decompressed image. Sets up the cable."""
    for tool in ("qemu-system-aarch64", "qemu-img", "mcopy", "ffprobe", "ssh", "ssh-keygen", "ip", "unshare"):
        if not shutil.which(tool):
            raise SystemExit(f"boot test: {tool} is missing")
    cable.lay()
    with tempfile.TemporaryDirectory(prefix="perch-boot-") as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        image = arguments.image
        if image.suffix == ".xz":
            image = folder / image.stem
            with lzma.open(arguments.image) as packed, image.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        yield folder, image
