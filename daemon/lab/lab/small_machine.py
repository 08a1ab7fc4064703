"""A virtual machine with the lab's kernel that starts in four seconds of its time, for campaigns that kill it. Its root file system is in memory and holds
perchd, Python, their libraries, and the lab.
"""

import os
import shutil
import subprocess
import sys
import sysconfig

from .failure import require

MODULES = ("virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "ext4", "crc32c_generic", "f2fs")
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc && mount -t sysfs none /sys && mount -t devtmpfs none /dev && mount -t tmpfs none /tmp && mount -t tmpfs none /run
ip link set lo up
while read -r module; do insmod "$module" || echo "no $module"; done </modules.txt
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out /out
cd /lab && python3 -B -m lab.{program} >/out/said.txt 2>&1
sync
poweroff -f
"""


def libraries(program):
    """The files that the dynamic linker loads for a program."""
    said = subprocess.run(("ldd", program), capture_output=True, text=True, check=False).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


def build(folder, kernel_root, perchd, program):
    """Makes the machine's root file system, which runs `lab.PROGRAM` at its start; returns (kernel, image)."""
    version, = os.listdir(f"{kernel_root}/lib/modules")
    root = f"{folder}/root"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", "proc", "sys", "dev", "tmp", "run", "out", "mnt", "lab", "modules", "etc"):
        os.makedirs(f"{root}/{name}")

    def put(source, target=None):
        target = f"{root}{target or source}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)

    lab = os.path.dirname(os.path.abspath(__file__))
    shutil.copytree(lab, f"{root}/lab/lab", ignore=shutil.ignore_patterns("__pycache__"))
    put("/bin/busybox", "/bin/busybox")
    put(perchd, "/bin/perchd")
    # What Python loads later by itself is named, too.
    loads = f"import sys, runpy, traceback, linecache, encodings.idna, encodings.latin_1, encodings.ascii, lab.{program}"
    loads += "; print(*(getattr(module, '__file__', None) or '' for module in list(sys.modules.values())), sep='\\n')"
    used = subprocess.run(
        ("/usr/bin/python3", "-B", "-c", loads), cwd=os.path.dirname(lab), capture_output=True, text=True, check=True
    ).stdout.split()
    python = os.path.realpath("/usr/bin/python3")
    put(python, "/bin/python3")
    for path in {python, perchd, *used}:
        for library in libraries(path) if not path.endswith(".py") else ():
            put(library)
    for path in used:
        if path.startswith(sysconfig.get_path("stdlib") if sys.executable == "/usr/bin/python3" else "/usr/lib/python3"):
            put(path)
    names = []
    for module in MODULES:
        shown = subprocess.run(
            ("modprobe", "-d", kernel_root, "-S", version, "--show-depends", module), capture_output=True, text=True, check=True
        ).stdout
        for line in shown.splitlines():
            path = line.split()[1] if line.startswith("insmod") else None
            name = path and f"/modules/{os.path.basename(path)}"
            if path and name not in names:
                put(path, name)
                names.append(name)
    with open(f"{root}/modules.txt", "w", encoding="ascii") as file:
        file.writelines(f"{name}\n" for name in names)
    with open(f"{root}/init", "w", encoding="ascii") as file:
        file.write(INIT.format(program=program))
    os.chmod(f"{root}/init", 0o755)
    image = f"{folder}/root.cpio"
    with open(image, "wb") as file:
        subprocess.run("find . | busybox cpio -o -H newc", shell=True, cwd=root, stdout=file, stderr=subprocess.DEVNULL, check=True)
    require(os.path.getsize(image) > 1 << 20, "the machine's file system is empty")
    return f"{kernel_root}/boot/vmlinuz-{version}", image


def start(kernel, image, card_socket, out):
    """Starts a machine. Its card is the NBD server at this socket; the folder `out` is the machine's /out."""
    with open(f"{out}/console.txt", "wb") as console:
        return subprocess.Popen((
            "qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-m", "512", "-smp", "1", "-icount", "shift=1,sleep=on", "-nodefaults", "-no-reboot",
            "-display", "none", "-serial", "stdio", "-kernel", kernel, "-initrd", image,
            "-append", "console=ttyS0 quiet panic=-1 oops=panic random.trust_cpu=on mitigations=off cryptomgr.notests",
            "-drive", f"file=nbd+unix:///?socket={card_socket},format=raw,if=none,id=card,cache=writeback", "-device", "virtio-blk-pci,drive=card",
            "-fsdev", f"local,id=out,path={out},security_model=none", "-device", "virtio-9p-pci,fsdev=out,mount_tag=out",
        ), stdin=subprocess.DEVNULL, stdout=console, stderr=console)
