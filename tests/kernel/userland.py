"""What the guest's Python needs: the interpreter that runs this, its library, and their shared libraries.

All lies at the same paths in the guest as on this machine, save the shared libraries, which lie in `/lib`.
The C library and libbpf are those of the fetched newer Debian.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.interop.toolchain import Tree
from tests.kernel.cpio import Entry, copy_of

LIBBPF = "/lib/libbpf.so.1"

# Parts of the standard library that no program in the guest imports, by the name of a file or folder.
LEFT_OUT = re.compile(
    r"^(?:site-packages|dist-packages|test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|pydoc_data|config-.*"
    r"|_tkinter.*|_test.*|_xxtestfuzz.*|_ctypes_test.*|xxlimited.*|_curses.*|readline.*|_g?dbm.*|_sqlite3.*|_ssl.*)$"
)
_LISTED = re.compile(r"^\s*(\S+) => (/\S+) \(0x", re.MULTILINE)
_INTERPRETER = re.compile(rb"/lib\S*/ld-linux[^\0]+")


def interpreter() -> Path:
    """The path of the Python that runs this, whatever virtual environment it was started from."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def standard_library() -> Iterator[Path]:
    """The files of the standard library, extension modules and compiled files included."""
    pending = [Path(sysconfig.get_path("stdlib"))]
    while pending:
        for path in pending.pop().iterdir():
            if LEFT_OUT.match(path.name):
                continue
            if path.is_dir():
                pending.append(path)
            elif path.suffix != ".pyc" or f".{sys.implementation.cache_tag}.pyc" in path.name:
                yield path


def shared_libraries(tree: Tree, programs: Iterable[Path]) -> dict[str, Path]:
    """The shared libraries that `programs` need, by name; the tree's where it has one of that name."""
    found: dict[str, Path] = {}
    for program in programs:
        folders = ":".join(map(str, tree.libraries))
        command = [str(tree.loader), "--library-path", folders, "--list", str(program)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found.update((name, Path(path)) for name, path in _LISTED.findall(listed) if not name.startswith("/"))
    return found


def python_files(tree: Tree) -> dict[str, Entry]:
    """Everything that the guest's Python and libbpf need, by path in the guest."""
    python = interpreter()
    library = list(standard_library())
    libbpf = tree.library("libbpf.so.1")
    needed = shared_libraries(tree, [python, libbpf, *(path for path in library if path.suffix == ".so")])
    program = copy_of(python)
    loader = _INTERPRETER.search(program.content)
    files = {str(path): copy_of(path) for path in library}
    files |= {f"/lib/{name}": copy_of(path) for name, path in needed.items()}
    files[str(python)] = program
    files[LIBBPF] = copy_of(libbpf)
    if loader:
        files[loader[0].decode()] = copy_of(tree.loader)
    return files
