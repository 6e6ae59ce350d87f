"""Compiles `sample.c` with each clang into the objects beside it: python make_objects.py LLVM-STRIP CLANG...

Tests read these objects, so that they need no clang. The file names say which clang and byte order.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def compile_sample(clang: str, endian: str, strip: str) -> Path:
    """The object that `clang` makes of the sample, without DWARF and with no path of this machine in it."""
    target = {"little": "bpfel", "big": "bpfeb"}[endian]
    version = subprocess.run([clang, "--version"], check=True, capture_output=True, text=True).stdout
    number = re.search(r"version (\d+)", version)
    if number is None:
        raise SystemExit(f"{clang} does not tell its version")
    name = f"clang{number[1]}-{endian}.o"
    options = ["-O2", "-g", "-mcpu=v3", "-fdebug-compilation-dir=.", "-Wno-visibility"]
    command = [clang, f"--target={target}", *options, "-c", "sample.c", "-o", name]
    subprocess.run(command, check=True, cwd=FOLDER)
    subprocess.run([strip, "--strip-debug", name], check=True, cwd=FOLDER)
    return FOLDER / name


if __name__ == "__main__":
    for each in sys.argv[2:]:
        for order in ("little", "big"):
            print(compile_sample(each, order, sys.argv[1]))
