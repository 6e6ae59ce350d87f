"""Objects loaded in a guest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.interop.toolchain import Tree
from tests.kernel import guest
from tests.kernel.cases import Candidate
from tests.kernel.initramfs import SOURCES
from tests.kernel.userland import LIBBPF

LOADER = "tests/kernel/load_objects.py"
# What it takes of skverdict: the structures that the kernel fills.
STRUCTURES = ("runtime/__init__.py", "runtime/kernel/__init__.py", "runtime/kernel/information.py")


def loaded(kernel: Path, tree: Tree, tried: Iterable[Candidate], seconds: float) -> list[dict[str, Any]]:
    """What `kernel` makes of each candidate that has an object (`load_objects`). Raises GuestError."""
    files = {each.file: each.content for each in tried if each.content is not None}
    programs = {LOADER: (SOURCES / LOADER).read_bytes()}
    programs |= {f"skverdict/{path}": (SOURCES / path).read_bytes() for path in STRUCTURES}
    arguments = [LIBBPF, *files]
    ended = guest.run_to_its_end(
        kernel, tree, files | programs, "tests.kernel.load_objects", arguments, seconds
    )
    return ended.results
