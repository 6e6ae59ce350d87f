"""The simulator does what real kernels did, step by step (`tests/corpus/scenarios`)."""

from __future__ import annotations

from typing import Any

import pytest
from skverdict.codegen import read_object
from skverdict.runtime import Simulator

from tests.corpus.scenario import expected, recorded, run
from tests.corpus.scenario_file import KERNELS, LABS
from tests.corpus.world import BackendWorld

OBJECTS = {path.stem: read_object(path.read_bytes(), path.name) for path in LABS.glob("*.o")}

def cases() -> list[Any]:
    """Every scenario on the newest kernel, and on those before it whatever they did in another way."""
    return [
        pytest.param(scenario, kernel, id=f"{group}: {scenario['name']} on {kernel}")
        for group, scenario in recorded()
        for kernel in KERNELS
        if kernel == KERNELS[-1] or kernel in scenario.get("outcomes_on", {})
    ]


@pytest.mark.parametrize(("scenario", "kernel"), cases())
def test_simulator_does_what_the_kernel_did(scenario: dict[str, Any], kernel: str) -> None:
    simulator = Simulator(OBJECTS[scenario.get("lab", "lab")], kernel=kernel)

    outcomes = run(BackendWorld(simulator), scenario)

    steps = scenario["steps"]
    assert [*zip(steps, outcomes, strict=True)] == [*zip(steps, expected(scenario, kernel), strict=True)]
