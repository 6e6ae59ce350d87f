"""What one `skverdict attach` has in the kernel, written down where it outlives the process.

A record is a folder `skverdict/NAME` of the BPF file system, which holds pins, folders and symbolic links
and no files. Its links `policy`, `cgroup`, `process` and `kept` are notes: their text is where they point to.
`maps/` and `programs/` have an entry for each map and program, `attached/` one for each place:

- a pin, by which the thing stays in the kernel when the process has ended, or
- a note: the id of a map or program that goes with the process, or what has to be detached.

A note is made before what it tells of, a pin right behind it, so whenever the process is killed, everything
that stays in the kernel is in the record. A process that attaches or detaches holds the record's `flock`,
which goes with it; a record that nobody holds and that has no `kept` was left behind.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from skverdict.runtime.kernel.errors import KernelUnavailable, KernelUseError
from skverdict.runtime.kernel.mounts import MOUNTS, mounted

FOLDER = "skverdict"
MAPS, PROGRAMS, ATTACHED = "maps", "programs", "attached"
_PARTS = (MAPS, PROGRAMS, ATTACHED)
#: A BPF file system keeps names with dots for itself.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def records_folder(mounts: Path = MOUNTS) -> Path:
    """Where records are. Raises KernelUnavailable if no BPF file system is mounted."""
    for where in mounted("bpf", mounts):
        return where / FOLDER
    raise KernelUnavailable("no BPF file system is mounted: mount -t bpf bpf /sys/fs/bpf")


class RecordTaken(Exception):
    """There is a record of that name already."""


class RecordHeld(Exception):
    """A process is at work on the record."""


class Record:
    """A record that this process holds until `release`. `path` is its folder."""

    def __init__(self, path: Path) -> None:
        """Hold the record at `path`. Raises RecordHeld, and FileNotFoundError if there is none."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise RecordHeld(f"{path.name} is held by process {process_of(path) or '?'}") from None
        except BaseException:
            self.release()
            raise

    def note(self, name: str, text: str) -> None:
        """Write `text` down under `name`."""
        os.symlink(text, self.path / name)

    def place(self, part: str, name: str) -> Path:
        """Where `name` of a part (MAPS, PROGRAMS, ATTACHED) is pinned or noted."""
        return self.path / part / name

    def release(self) -> None:
        """Let go of the record, and leave it there; twice is once."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def erase(self) -> None:
        """Remove the folder with its pins and notes, the parts in which places depend on others first."""
        for part in reversed(_PARTS):
            with suppress(FileNotFoundError):
                for entry in sorted(os.listdir(self.path / part)):
                    os.unlink(self.path / part / entry)
                os.rmdir(self.path / part)
        for note in sorted(os.listdir(self.path)):
            os.unlink(self.path / note)
        os.rmdir(self.path)
        self.release()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who makes or removes records in `folder`, which is made if need be."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def create(folder: Path, name: str, notes: Mapping[str, str]) -> Record:
    """A new record. Raises RecordTaken, and KernelUseError for what is no name of a record."""
    if not _NAME.fullmatch(name):
        raise KernelUseError(f"{name!r} is no name: letters, digits, - and _ only, 64 at most")
    path = folder / name
    with locked(folder):
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            raise RecordTaken(f"{name!r} is taken: {path} is there") from None
        record = Record(path)
    for part in _PARTS:
        (path / part).mkdir(mode=0o700)
    for each, text in notes.items():
        record.note(each, text)
    return record


def names(folder: Path) -> list[str]:
    """What is in `folder`, by name; nothing if it is not there."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def noted(path: Path, name: str) -> str | None:
    """The text under `name` in the record at `path`, None if there is none."""
    try:
        return os.readlink(path / name)
    except OSError:
        return None


def process_of(path: Path) -> int | None:
    """The process that made the record at `path`, if it is noted."""
    text = noted(path, "process") or ""
    return int(text) if text.isdecimal() else None


def is_held(path: Path) -> bool:
    """Whether a process is at work on the record at `path`."""
    try:
        Record(path).release()
    except RecordHeld:
        return True
    return False
