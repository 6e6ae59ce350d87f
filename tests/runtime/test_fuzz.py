"""Changed objects, scenarios and traces end in a result or in an error with a name; `tests.runtime.fuzz` and
`tests.runtime.fuzz_scenarios` do it for hours."""

from __future__ import annotations

from random import Random

import pytest
from skverdict.codegen.object_reader import read_object

from tests.corpus.scenario import recorded
from tests.runtime import fuzz_scenarios
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
