"""Real refusals of the verifier, told by the lines of the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.verifier import VerifierError

from tests.kernel.backend.kit import ROOT, command, nothing_left
from tests.kernel.backend.refusals import REFUSALS

SOURCES = ROOT / "tests/kernel/backend"
C_LINES = (SOURCES / "refusals.c").read_text(encoding="utf-8").splitlines()


def marked(case: str, mark: str) -> int | None:
    """The number of the line with that mark in the part of a case."""
    begin = C_LINES.index(f"#ifdef CASE_{case}")
    end = C_LINES.index("#endif", begin)
    found = [number for number in range(begin, end) if f"/* {mark} */" in C_LINES[number]]
    return found[0] + 1 if found else None


def refusal(name: str) -> VerifierError:
    with nothing_left(), pytest.raises(VerifierError) as caught:
        Kernel(SOURCES / f"{name}.o")
    return caught.value


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_told_by_its_line_with_what_mattered(case: str) -> None:
    error, expected = refusal(case), REFUSALS[case]
    assert re.search(expected.reason, error.reason), error.log
    assert expected.words in error.explanation
    line = marked(case, "here")
    if line is not None:
        assert (error.file.rpartition("/")[2], error.line) == ("refusals.c", line)
        assert error.column > 1
        assert f"{line} | " in str(error)
    for name in expected.registers:
        assert any(register.startswith(name) for register in error.registers), error.log
        assert f"    {name}" in str(error)
    assert "processed " in error.log
    assert error.program == "refused"


def test_what_is_never_given_back_is_shown_where_it_was_taken() -> None:
    line = marked("leak", "taken")
    assert f"refusals.c:{line}:" in str(refusal("leak"))


def test_a_policy_that_is_too_long_is_told_by_its_python_line() -> None:
    error = refusal("too_long")
    assert error.file.endswith("too_long.py")
    assert 13 <= error.line <= 18
    assert "gave up after a million steps" in error.explanation


def test_the_command_tells_it_and_writes_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with nothing_left():
        options = ["--attach", "sockets", "--pin", "--log", str(log)]
        done = command("attach", str(SOURCES / "null.o"), *options)
    assert done.returncode == 1
    assert f"refusals.c:{marked('null', 'here')}:" in done.stderr.splitlines()[0]
    assert "test it with `is None`" in done.stderr
    assert "processed " in log.read_text(encoding="utf-8")


def test_an_object_beside_that_is_loaded() -> None:
    with Kernel(SOURCES / "fixed.o") as kernel:
        assert list(kernel.programs) == ["accepted"]
