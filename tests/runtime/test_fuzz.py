"""Changed objects, scenarios, traces and captures, and values of every shape, end in a result or in an error with a
name; `tests.runtime.fuzz`, `native_fuzz`, `fuzz_scenarios` and `fuzz_inputs` do it for hours."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from skverdict.codegen.object_reader import read_object

from tests.corpus.scenario import recorded
from tests.runtime import fuzz_inputs, fuzz_scenarios, native_fuzz
from tests.runtime.fuzz import changed, rewritten, seeds, use

OBJECTS = seeds()
SCENARIOS = [scenario for _, scenario in recorded()]
PARSED = [each for each in map(read_object, OBJECTS) if each.programs]


@pytest.mark.parametrize("seed", range(8))
def test_changed_bytes(seed: int) -> None:
    random = Random(seed)
    for _ in range(4):
        assert use(changed(OBJECTS, random), random)


@pytest.mark.parametrize("seed", range(8))
def test_changed_instructions(seed: int) -> None:
    random = Random(seed)
    for _ in range(2):
        assert use(rewritten(random.choice(PARSED), random), random)


@pytest.mark.parametrize("seed", range(8))
def test_changed_scenarios_and_traces(seed: int) -> None:
    random = Random(seed)
    for _ in range(3):
        assert fuzz_scenarios.use(SCENARIOS, random)


@pytest.mark.parametrize(
    ("share", "runs", "some"),
    [("values", 60, {"ValueMismatch", "KernelError"}), ("captures", 40, {"read", "CaptureError"}),
     ("cases", 40, {"failed", "CaseError"})],
)  # fmt: skip
def test_made_up_inputs(share: str, runs: int, some: set[str]) -> None:
    outcomes = {fuzz_inputs.SHARES[share](Random(seed)) for seed in range(runs)}
    assert some <= outcomes


@pytest.mark.parametrize("first", range(0, 24, 8))
def test_changed_programs_as_native_code(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    runs = [native_fuzz.use(seed, native_fuzz.subject(seed, PARSED)) for seed in range(first, first + 8)]
    assert sum(runs) >= 2 * (native_fuzz.ALONE + native_fuzz.TOGETHER)
