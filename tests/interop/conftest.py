"""Fixtures: the outside tools, and objects of each example made by skverdict and by clang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from skverdict.codegen import Target, build
from skverdict.dsl import load_policy

from tests.interop.toolchain import BPFTOOL, CLANG_19, CLANG_22, FETCH, Tool, Tree, fetched_tree
from tests.interop.twins import REPOSITORY, Twin, compile_c

Inspect = Callable[[Path], dict[str, Any]]
InspectAll = Callable[..., list[dict[str, Any]]]
Build = Callable[..., Path]


def missing(reason: str) -> NoReturn:
    """A test cannot run here: a failure in CI, which installs everything, else a skip with the reason."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def path_of(tool: Tool) -> str:
    return tool.find() or missing(tool.absence)


@pytest.fixture(scope="session", params=[CLANG_19, CLANG_22], ids=lambda tool: tool.name)
def clang(request: pytest.FixtureRequest) -> str:
    """The path of each clang in turn."""
    return path_of(request.param)


@pytest.fixture(scope="session")
def clang_19() -> str:
    return path_of(CLANG_19)


@pytest.fixture(scope="session")
def bpftool() -> str:
    return path_of(BPFTOOL)


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The newer Debian's files."""
    return fetched_tree() or missing(f"no newer libbpf in the cache folder; fetch it with: {FETCH}")


def inspect_with(command: list[str], library: str, *paths: Path) -> list[dict[str, Any]]:
    """What `inspect_object` prints for the objects at `paths`, run by the Python that `command` starts."""
    program = [*command, "-m", "tests.interop.inspect_object", library, *map(str, paths)]
    done = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        if "cannot open shared object file" in done.stderr and not Path(library).is_absolute():
            missing(f"{library} is not on this machine; install it with: apt-get install libbpf1")
        raise AssertionError(f"libbpf ended the process ({done.returncode}):\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session", params=["machine", "newer"])
def inspect_all(request: pytest.FixtureRequest) -> InspectAll:
    """What a libbpf sees in objects: the machine's own, then the newer one under its own C library."""
    if request.param == "machine":
        return lambda *paths: inspect_with([sys.executable], "libbpf.so.1", *paths)
    newer: Tree = request.getfixturevalue("tree")
    library = str(newer.library("libbpf.so.1"))
    return lambda *paths: inspect_with(newer.command(sys.executable), library, *paths)


@pytest.fixture(scope="session")
def inspect(inspect_all: InspectAll) -> Inspect:
    """What a libbpf sees in one object."""
    return lambda path: inspect_all(path)[0]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """`built(twin, cpu, endian)`: the path of the object that skverdict makes of the example."""
    folder = tmp_path_factory.mktemp("skverdict")

    def make(twin: Twin, cpu: str = "v3", endian: str = "little") -> Path:
        path = folder / f"{twin}-{cpu}-{endian}.o"
        if not path.exists():
            path.write_bytes(build(load_policy(twin.policy), Target(cpu=cpu, endian=endian)))
        return path

    return make


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """`compiled(clang, twin, cpu, endian)`: the path of the object that `clang` makes of the C twin."""
    folder = tmp_path_factory.mktemp("clang")

    def make(clang: str, twin: Twin, cpu: str = "v3", endian: str = "little") -> Path:
        path = folder / f"{twin}-{Path(clang).name}-{cpu}-{endian}.o"
        return path if path.exists() else compile_c(clang, twin.source, path, cpu, endian)

    return make
