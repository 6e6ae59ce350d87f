"""Random scenarios are the same for a seed, the simulator carries them out, and differences are told by step."""

from __future__ import annotations

import pytest

from tests.corpus.inputs.build import REDIRECT, VERDICT
from tests.corpus.scenario_file import KERNELS
from tests.kernel.compare import difference, simulated
from tests.kernel.random_scenarios import random_scenario, random_scenarios


def test_a_seed_is_a_scenario() -> None:
    assert random_scenario(7) == random_scenario(7)
    assert random_scenario(7) != random_scenario(8)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_simulator_gives_an_outcome_for_each_step(kernel: str) -> None:
    scenarios = list(random_scenarios(1, 40))
    outcomes = [simulated(each, kernel) for each in scenarios]

    assert [len(each or ()) for each in outcomes] == [len(each["steps"]) for each in scenarios]
    assert outcomes[:10] == [simulated(each, kernel) for each in scenarios[:10]]


@pytest.mark.parametrize("text", ["a", "a" * 40_000])
def test_a_circle_of_redirects_is_not_tried_on_a_kernel(text: str) -> None:
    steps = [
        *(["attach", "watched", "verdict"], ["pair", "c", "s"], ["pair", "u", "b"], ["put", "targets", 0, "u", 0]),
        *(["put", "watched", 0, "s", 0], ["put", "watched", 1, "b", 0], ["send", "c", text]),
    ]
    assert simulated({"name": "circle", "settings": {str(VERDICT): REDIRECT}, "steps": steps}, "7.2") is None


def test_a_difference_names_its_step() -> None:
    scenario = {"name": "seed 3", "settings": {}, "steps": [["runs"], ["recv", "s", 10]]}

    assert difference(scenario, [[], "abc"], [[], "abc"]) == ""
    assert difference(scenario, [[], "abc"], [[], "EAGAIN"]).splitlines() == [
        "seed 3, settings {}",
        '    ["runs"] gave []',
        '  ! ["recv", "s", 10] gave "abc", but the kernel "EAGAIN"',
    ]
