"""The file system that a guest starts from: Python, a part of this repository, and what it is to run."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.interop.toolchain import Tree
from tests.kernel.boundary import COMMAND_FILE, REPOSITORY, TOKEN_FILE
from tests.kernel.bytecode import compiled
from tests.kernel.cpio import CONSOLE, Entry, archive
from tests.kernel.userland import interpreter, python_files

SOURCES = Path(__file__).resolve().parents[2]
# What every guest needs of this repository, by path from its root.
ALWAYS = (
    "tests/interop/libbpf.py",
    "tests/kernel/boundary.py",
    "tests/kernel/first_process.py",
)
START = f"""#!{interpreter()} -IS
import runpy, sys
sys.path.insert(0, {REPOSITORY!r})
runpy.run_module("tests.kernel.first_process", run_name="__main__")
"""


def _file(content: str, mode: int = 0o600) -> Entry:
    return Entry(stat.S_IFREG | mode, content.encode())


def initramfs(tree: Tree, files: Mapping[str, bytes], command: Sequence[str], token: str) -> bytes:
    """The archive. `files` are contents by path from the repository's root.

    `command` is a module and its arguments; `token` is what `boundary.require_guest` compares with the
    kernel's command line.
    """
    entries = python_files(tree)
    entries["/dev/console"] = CONSOLE
    entries["/init"] = _file(START, 0o755)
    entries[TOKEN_FILE] = _file(token)
    entries[COMMAND_FILE] = _file(json.dumps(list(command)))
    every = {path: (SOURCES / path).read_bytes() for path in ALWAYS} | dict(files)
    for path, content in (*every.items(), *compiled(every, REPOSITORY)):
        entries[f"{REPOSITORY}/{path}"] = Entry(stat.S_IFREG | 0o644, content)
    return archive(entries)
