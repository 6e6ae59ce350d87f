"""The guest's first process: sets the guest up, runs the module it is asked to run, and ends the guest.

The kernel starts it as `/init`. It mounts what programs expect, brings the loopback interface up, and reports
the module's exit status as the last result.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tty
from pathlib import Path

from tests.kernel.boundary import (
    COMMAND_FILE,
    REPOSITORY,
    RESULTS_VARIABLE,
    TOKEN_FILE,
    report,
    require_guest,
)

RESULTS = "/dev/ttyS1"
MOUNTS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tracefs", "/sys/kernel/tracing"),
)
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # include/uapi/linux/sockios.h, if.h
LINUX_REBOOT_CMD_RESTART = 0x01234567  # include/uapi/linux/reboot.h


def mount_all(libc: ctypes.CDLL) -> None:
    for kind, where in MOUNTS:
        Path(where).mkdir(parents=True, exist_ok=True)
        if libc.mount(kind.encode(), where.encode(), kind.encode(), 0, None):
            raise OSError(ctypes.get_errno(), f"mount {kind} at {where}")


def bring_up_loopback() -> None:
    """Set IFF_UP on `lo`; a `struct ifreq` is a name of 16 bytes and, here, flags of 2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        name, flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | IFF_UP))


def main() -> None:
    if os.getpid() != 1 or not Path(TOKEN_FILE).is_file():
        raise SystemExit("refused: this is the first process of a guest, and would restart the machine")
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        mount_all(libc)
        require_guest()
        bring_up_loopback()
        with open(RESULTS, encoding="ascii") as channel:
            tty.setraw(channel)
        os.environ[RESULTS_VARIABLE] = RESULTS
        command = json.loads(Path(COMMAND_FILE).read_text(encoding="utf-8"))
        done = subprocess.run([sys.executable, "-m", *command], cwd=REPOSITORY, check=False)
        report({"exit_status": done.returncode})
    finally:
        sys.stdout.flush()
        os.sync()
        libc.reboot(LINUX_REBOOT_CMD_RESTART)


if __name__ == "__main__":
    main()
