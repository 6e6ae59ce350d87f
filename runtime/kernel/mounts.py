"""What is mounted where."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

#: A line for each mount: what, where, its kind, and more.
MOUNTS = Path("/proc/self/mounts")
#: How spaces and their like are written there.
_OCTAL = re.compile(rb"\\([0-7]{3})")


def mounted(kind: str, mounts: Path = MOUNTS) -> Iterator[Path]:
    """The folders where a file system of `kind` is mounted."""
    for line in mounts.read_bytes().splitlines():
        _, where, found, *_ = line.split(b" ")
        if found == kind.encode():
            yield Path(os.fsdecode(_OCTAL.sub(lambda escape: bytes([int(escape[1], 8)]), where)))
