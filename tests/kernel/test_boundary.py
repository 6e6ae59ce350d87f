"""Nothing that loads, mounts or restarts runs outside a guest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.boundary import in_guest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("command_line", "token", "expected"),
    [
        ("console=ttyS0 skverdict.guest=abc quiet", "abc", True),
        ("console=ttyS0 skverdict.guest=abcd", "abc", False),
        ("console=ttyS0 skverdict.guest=", "", False),
        ("console=ttyS0 skverdict.guest=abc", None, False),
        ("console=ttyS0", "abc", False),
    ],
)
def test_both_tokens_must_agree(command_line: str, token: str | None, expected: bool) -> None:
    assert in_guest(command_line, token) is expected


@pytest.mark.parametrize("module", ["tests.kernel.load_objects", "tests.kernel.first_process"])
def test_refused_on_this_machine(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "no-such-library", "no-such-object"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("refused: ")
