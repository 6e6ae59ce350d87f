"""Where the tools that skverdict is held against are on this machine, and what to do about a missing one.

A tool is looked for in its environment variable, on PATH, and in the cache folder that `fetch_toolchain`
fills.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

FETCH = "python -m tests.interop.fetch_toolchain"


def cache_folder() -> Path:
    """Where fetched tools are kept: `skverdict` in the user's cache (XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skverdict"


def toolchain_folder() -> Path:
    """The unpacked newer Debian: `root/` its files, `bin/` commands that run them."""
    return cache_folder() / "toolchain"


@dataclass(frozen=True)
class Tool:
    """A command that tests run: its name, and the command line that installs it."""

    name: str
    install: str

    @property
    def variable(self) -> str:
        """The environment variable that says where the tool is: SKVERDICT_CLANG22 for `clang-22`."""
        return "SKVERDICT_" + self.name.upper().replace("-", "")

    def find(self) -> str | None:
        """The tool's path, or None. A path given in the environment is taken as it is."""
        given = os.environ.get(self.variable)
        fetched = str(toolchain_folder() / "bin")
        return given or shutil.which(self.name) or shutil.which(self.name, path=fetched)

    @property
    def absence(self) -> str:
        """What to tell the user when the tool is not there."""
        return f"{self.name} is neither on PATH nor in ${self.variable}; install it with: {self.install}"


def debian_tool(name: str, package: str | None = None) -> Tool:
    """A tool that the machine's own Debian has."""
    return Tool(name, f"apt-get install {package or name}")


CLANG_19 = debian_tool("clang-19")
CLANG_22 = Tool("clang-22", FETCH)
BPFTOOL = debian_tool("bpftool")


LIBBPF = "libbpf.so.1"


@dataclass(frozen=True)
class Tree:
    """An unpacked Debian whose programs and libraries run under its own C library.

    `libbpf` is one to take in place of its own.
    """

    root: Path
    libbpf: Path | None = None

    @property
    def loader(self) -> Path:
        """The dynamic loader of the tree's C library."""
        return next(iter(sorted((self.root / "usr" / "lib64").glob("ld-linux-*.so.*"))))

    @property
    def libraries(self) -> list[Path]:
        """The folders of its shared libraries, the private ones of LLVM first."""
        return [
            *sorted((self.root / "usr" / "lib").glob("llvm-*/lib")),
            *(path.parent for path in sorted((self.root / "usr" / "lib").glob("*/libc.so.6"))),
        ]

    def library(self, name: str) -> Path:
        """The path of shared library `name`. Raises FileNotFoundError if the tree has none."""
        if self.libbpf is not None and name == LIBBPF:
            return self.libbpf
        for folder in self.libraries:
            if (folder / name).exists():
                return folder / name
        raise FileNotFoundError(f"{name} is not in {self.root}; fetch it again with: {FETCH}")

    def command(self, program: Path | str) -> list[str]:
        """The command line that runs `program`, the tree's or the machine's, under the tree's libraries."""
        path = ":".join(map(str, self.libraries))
        return [str(self.loader), "--library-path", path, "--argv0", str(program), str(program)]


def fetched_tree() -> Tree | None:
    """The tree that `fetch_toolchain` made, or None."""
    root = toolchain_folder() / "root"
    return Tree(root) if (toolchain_folder() / "complete").is_file() else None
