"""The programs that the interpreter's speed is measured with run to their ends."""

from __future__ import annotations

import io

import pytest

from bench.interpreter_speed import BODIES, ROUNDS, program_of
from bench.interpreter_worker import main


@pytest.mark.parametrize("name", BODIES)
def test_a_worker_answers_with_a_count_and_then_with_times(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{program_of(name)}\n\n"))
    main()
    count, seconds = capsys.readouterr().out.split()
    assert int(count) >= ROUNDS * 9
    assert float(seconds) > 0
