"""Fetch clang 22, LLVM 22's llc and opt, and a newer libbpf from Debian unstable into the cache folder.

Run it as `python -m tests.interop.fetch_toolchain`; a second run finds everything there and does nothing.
About 80 MB are downloaded. Nothing is installed: the machine's own packages stay as they are.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from tests.interop.debian import DebianError, Release, unpack
from tests.interop.toolchain import Tree, fetched_tree, toolchain_folder

LLVM = "22"
WITH_DEPENDENCIES = (f"libclang-cpp{LLVM}", f"libllvm{LLVM}", "libbpf1")
# Their dependencies are other headers, a second compiler and scripting languages, which nothing here uses.
ALONE = (f"clang-{LLVM}", f"llvm-{LLVM}", f"libclang-common-{LLVM}-dev", "libbpf-dev")
# Commands, and the programs of LLVM that they run.
COMMANDS = {f"clang-{LLVM}": "clang", "llc": "llc", "opt": "opt"}


def write_commands(tree: Tree, folder: Path) -> None:
    """Write COMMANDS into a new `folder`: scripts that run their programs under the tree's libraries."""
    folder.mkdir()
    llvm = tree.root / "usr" / "lib" / f"llvm-{LLVM}"
    # clang seeks its headers beside the program that the kernel started, which is the loader.
    headers = ["-resource-dir", str(llvm / "lib" / "clang" / LLVM)]
    for name, program in COMMANDS.items():
        extra = headers if program == "clang" else []
        line = shlex.join([*tree.command(llvm / "bin" / program), *extra])
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec {line} "$@"\n', encoding="utf-8")
        command.chmod(0o755)


def fetch(target: Path) -> None:
    """Fill `target` with `root/` and `bin/`, and at last with the file `complete`."""
    shutil.rmtree(target, ignore_errors=True)
    root = target / "root"
    root.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="skverdict-apt-") as state:
        unpack(Release("sid", Path(state)).download(WITH_DEPENDENCIES, ALONE), root)
    write_commands(Tree(root), target / "bin")
    (target / "complete").touch()


def main() -> int:
    target = toolchain_folder()
    if fetched_tree() is not None:
        print(f"{target}: already there")
        return 0
    try:
        fetch(target)
    except DebianError as error:
        print(f"fetch_toolchain: {error}", file=sys.stderr)
        return 1
    print(f"{target}: clang {LLVM}, llc, opt and libbpf")
    return 0


if __name__ == "__main__":
    sys.exit(main())
