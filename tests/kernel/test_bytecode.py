"""Compiled files for a guest are those that the interpreter takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.kernel.bytecode import compiled


def test_the_interpreter_runs_the_compiled_file(tmp_path: Path) -> None:
    files = {"module.py": b"print('source')\n", "data.json": b"{}"}
    ((path, content),) = compiled(files, str(tmp_path))
    (tmp_path / "module.py").write_bytes(b"print('another source')\n")
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_bytes(content)

    command = [sys.executable, "-c", "import module; print(module.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == f"source\n{tmp_path}/module.py\n"
