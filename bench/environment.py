"""The Python environment that skverdict and its peers are measured in: one interpreter, pinned peers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.measure import BenchError
from tests.interop.toolchain import cache_folder

REPOSITORY = Path(__file__).resolve().parents[1]
# pythonbpf 0.2.0 imports on Python 3.12 and later only.
OLDEST = (3, 12)
PINNED = (
    "pythonbpf==0.2.0",
    "pylibbpf==0.0.7",
    "astpretty==3.0.0",
    "llvmlite==0.50.0",
    "lark==1.3.1",
    "pyelftools==0.33",
    "rich==15.0.0",
)
BUILDERS = ("setuptools>=77", "wheel")


def folder() -> Path:
    """Where the environment is kept."""
    return cache_folder() / "bench"


def python() -> Path:
    """Its interpreter. Raises BenchError if the environment is not there."""
    found = folder() / "bin" / "python"
    if not found.exists():
        raise BenchError("no environment to measure in; make it with: python -m bench.build_speed --setup")
    return found


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


def create(interpreter: str) -> None:
    """Make the environment with `interpreter` and install the peers. Raises BenchError."""
    version = _run([interpreter, "-c", "import sys; print(*sys.version_info[:2])"]).split()
    if tuple(map(int, version)) < OLDEST:
        found, need = ".".join(version), ".".join(map(str, OLDEST))
        raise BenchError(f"{interpreter} is Python {found}, and pythonbpf needs {need}: give --python")
    shutil.rmtree(folder(), ignore_errors=True)
    _run([interpreter, "-m", "venv", str(folder())])
    _run([str(python()), "-m", "pip", "install", "-q", *PINNED, *BUILDERS])


def install_working_copy() -> None:
    """Install skverdict as users get it, from a copy of the working tree, which stays as it is."""
    listed = _run(["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard"]).splitlines()
    with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as name:
        copy = Path(name) / "skverdict"
        for path in listed:
            source = REPOSITORY / path
            if source.is_file():
                target = copy / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        pip = [str(python()), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
        _run([*pip, "--force-reinstall", str(copy)])
