"""Bars: on a terminal and after a while, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.runtime.replay_kit import CAPTURES, EXAMPLES

COMMAND = """
import sys
from skverdict.runtime.cli import main, progress
progress.PATIENCE = float(sys.argv.pop(1))
sys.exit(main(sys.argv[1:]))
"""
ARGUMENTS = ["run", str(EXAMPLES / "hash_redirect.py"), "--capture", str(CAPTURES / "http1-nginx.pcap")]


def errors_on_a_terminal(patience: str) -> tuple[str, str]:
    """Standard output, and what a terminal gets to see of standard error."""
    main, side = pty.openpty()
    command = [sys.executable, "-c", COMMAND, patience, *ARGUMENTS]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=side, env=environment, text=True)
    os.close(side)
    shown = b""
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(main)
    printed, _ = process.communicate()
    assert process.returncode == 0
    return printed, shown.decode()


def test_a_long_run_shows_how_far_it_is() -> None:
    printed, shown = errors_on_a_terminal("0")
    assert "replaying" in shown
    assert "replaying" not in printed
    assert printed.partition(" ")[0].endswith("http1-nginx.pcap")


def test_a_short_run_shows_nothing() -> None:
    assert errors_on_a_terminal("1000")[1] == ""


@pytest.mark.parametrize("patience", ["0", "1000"])
def test_without_a_terminal_there_is_nothing(patience: str) -> None:
    command = [sys.executable, "-c", COMMAND, patience, *ARGUMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
