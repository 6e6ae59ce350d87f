"""Control groups of version 2, where sock_ops programs are attached."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from skverdict.runtime.kernel.errors import KernelUnavailable
from skverdict.runtime.kernel.mounts import MOUNTS, mounted

OWN = Path("/proc/self/cgroup")


def mount_point(mounts: Path = MOUNTS) -> Path:
    """Where the cgroup2 file system is mounted. Raises KernelUnavailable if it is not."""
    for where in mounted("cgroup2", mounts):
        return where
    raise KernelUnavailable("no cgroup2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup")


def own_cgroup(mounts: Path = MOUNTS, own: Path = OWN) -> Path:
    """The folder of the cgroup that this process is in."""
    for line in own.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        if line.startswith("0::"):
            return mount_point(mounts) / line[3:].lstrip("/")
    raise KernelUnavailable("this process is in no cgroup of version 2")


def open_cgroup(path: str | os.PathLike[str] | None = None) -> int:
    """A descriptor, to be closed, of a cgroup's folder, by default this process's own."""
    folder = own_cgroup() if path is None else Path(path)
    if not (folder / "cgroup.procs").exists():
        number = errno.EINVAL if folder.is_dir() else errno.ENOENT
        reason = "is no cgroup2 folder" if folder.is_dir() else "there is no such cgroup"
        raise OSError(number, reason, os.fspath(folder))
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
