"""Programs in Go with Debian's libraries for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.interop.conftest import missing, path_of
from tests.interop.toolchain import debian_tool

SOURCES = Path(__file__).parent / "go"
GO = debian_tool("go", "golang-go")
# Where Debian's packages keep Go's sources, each in a folder that says how it is imported.
LIBRARIES = Path("/usr/share/gocode")


def compiled_go(source: str, folder: Path) -> Path:
    """The program of a file of `go`, compiled into `folder`; without a compiler or cilium/ebpf the test cannot run."""
    go = path_of(GO)
    if not (LIBRARIES / "src" / "github.com" / "cilium" / "ebpf").is_dir():
        missing("no cilium/ebpf; install it with: apt-get install golang-github-cilium-ebpf-dev")
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(LIBRARIES), "GOCACHE": str(folder / "cache")}
    program = folder / Path(source).stem
    command = [go, "build", "-o", str(program), str(SOURCES / source)]
    done = subprocess.run(
        command, env={**os.environ, **settings}, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program
