"""An initramfs: a cpio archive in the `newc` format, as the kernel unpacks it into its first file system.

The format is Documentation/driver-api/early-userspace/buffer-format.rst of the kernel: a header of ASCII
hexadecimal fields, the name, and the content, each padded to 4 bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Entry(NamedTuple):
    """One file system entry: its mode with the type bits, its content, and its time of change in seconds."""

    mode: int
    content: bytes = b""
    time: int = 0
    device: tuple[int, int] = (0, 0)


DIRECTORY = Entry(stat.S_IFDIR | 0o755)
# The kernel opens it as the first program's input and output before that program can mount anything.
CONSOLE = Entry(stat.S_IFCHR | 0o600, device=(5, 1))


def copy_of(path: Path) -> Entry:
    """An entry with the content, permissions and time of the file at `path`, links followed."""
    status = path.stat()
    return Entry(stat.S_IFREG | stat.S_IMODE(status.st_mode), path.read_bytes(), int(status.st_mtime))


def _record(number: int, name: str, entry: Entry) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        0,  # owner
        0,  # group
        1,  # links
        entry.time,
        len(entry.content),
        0,  # the archive's own device, major
        0,  # and minor
        *entry.device,
        len(encoded),
        0,  # checksum, unused in this format
    )
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return b"".join(part + bytes(-len(part) % 4) for part in (header, entry.content))


def archive(entries: Mapping[str, Entry]) -> bytes:
    """The archive of `entries`, by absolute path; the folders that they lie in are added."""
    folders = {str(parent) for path in entries for parent in PurePosixPath(path).parents} - {"/"}
    everything = {**dict.fromkeys(folders, DIRECTORY), **entries}
    paths = enumerate(sorted(everything), start=1)
    records = [_record(number, path.lstrip("/"), everything[path]) for number, path in paths]
    return b"".join([*records, _record(0, "TRAILER!!!", Entry(0))])
