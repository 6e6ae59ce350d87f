"""Compile the objects that scenarios drive: `python -m tests.corpus.lab.build`. Needs clang-19, llvm-19."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
# The folders are those where Debian keeps `asm/`, which clang searches for no target but the machine's own.
OPTIONS = ("-O2", "-g", "-target", "bpf", "-mcpu=v3", "-fdebug-compilation-dir=.")


def main() -> int:
    machine = [f"-I{folder}" for folder in sorted(Path("/usr/include").glob("*-linux-gnu"))]
    for source in sorted(FOLDER.glob("*.c")):
        output = source.with_suffix(".o").name
        compile_it = ["clang-19", *OPTIONS, *machine, "-c", source.name, "-o", output]
        for command in (compile_it, ["llvm-strip-19", "-g", output]):
            subprocess.run(command, cwd=FOLDER, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
