"""The simulator told to be an older kernel does what that kernel did (`tests/corpus/scenarios`)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from skverdict.runtime import Simulator

from tests.corpus.scenario import run
from tests.runtime.test_scenarios import CORPUS, SimulatorWorld


def differing() -> list[Any]:
    return [
        pytest.param(scenario, kernel, id=f"{path.stem}: {scenario['name']} on {kernel}")
        for path in sorted((CORPUS / "scenarios").glob("*.json"))
        for scenario in json.loads(path.read_text(encoding="utf-8"))
        for kernel in scenario.get("outcomes_on", {})
    ]


@pytest.mark.parametrize(("scenario", "kernel"), differing())
def test_where_older_kernels_differ(scenario: dict[str, Any], kernel: str) -> None:
    world = SimulatorWorld()
    world.simulator = Simulator(world.simulator.object, kernel=kernel)
    expected = list(scenario["outcomes"])
    for step, outcome in scenario["outcomes_on"][kernel].items():
        expected[int(step)] = outcome
    steps = scenario["steps"]
    assert [*zip(steps, run(world, scenario), strict=True)] == [*zip(steps, expected, strict=True)]
