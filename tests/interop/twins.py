"""The example policies and their twins in C, and how the twins are compiled."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
SOURCES = REPOSITORY / "tests" / "corpus" / "c"
PARITY = REPOSITORY / "tests" / "corpus" / "parity"
CPUS = ("v1", "v2", "v3", "v4")
TARGETS = {"little": "bpfel", "big": "bpfeb"}

_PROGRAM = re.compile(r"^@(?:stream_parser|stream_verdict|skb_verdict|msg_verdict|sock_ops)\b", re.MULTILINE)


class CompileError(Exception):
    """clang refused a C source; the text is what it printed."""


@dataclass(frozen=True)
class Twin:
    """A policy, an example unless `policies` says otherwise, and the C source that says the same."""

    name: str
    policies: Path = EXAMPLES
    sources: Path = SOURCES

    @property
    def policy(self) -> Path:
        return self.policies / f"{self.name}.py"

    @property
    def source(self) -> Path:
        return self.sources / f"{self.name}.c"

    def __str__(self) -> str:
        return self.name


def policy_names() -> list[str]:
    """The names of the examples that declare a program, without `.py`."""
    files = sorted(EXAMPLES.glob("*.py"))
    return [path.stem for path in files if _PROGRAM.search(path.read_text(encoding="utf-8"))]


TWINS = [Twin(name) for name in policy_names()]
# Policies that are there to be compared with C, each beside its twin.
CORPUS = [Twin(path.stem, PARITY, PARITY) for path in sorted(PARITY.glob("*.py"))]


def compile_command(
    clang: str, source: Path, output: Path, cpu: str = "v3", endian: str = "little"
) -> list[str]:
    """The command line that compiles `source` to the BPF object `output` as users do, with `-O2 -g`.

    The include folder is where Debian keeps `asm/`, which clang searches for no target but the machine's own.
    """
    machine = [f"-I{folder}" for folder in sorted(Path("/usr/include").glob("*-linux-gnu"))]
    options = ["-O2", "-g", "-target", TARGETS[endian], f"-mcpu={cpu}", *machine]
    return [clang, *options, "-c", str(source), "-o", str(output)]


def compile_c(clang: str, source: Path, output: Path, cpu: str = "v3", endian: str = "little") -> Path:
    """Compile as `compile_command` says; gives `output`. Raises CompileError with clang's messages."""
    command = compile_command(clang, source, output, cpu, endian)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(done.stderr)
    return output
