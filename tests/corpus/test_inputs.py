"""What is recorded is what the inputs say now, so that every record can be made again."""

from __future__ import annotations

import json

import pytest

from tests.corpus.inputs import GROUPS
from tests.corpus.scenario import SCENARIOS, expected
from tests.corpus.scenario_file import KERNELS


@pytest.mark.parametrize("group", GROUPS)
def test_recorded_scenarios_are_those_of_the_inputs(group: str) -> None:
    recorded = json.loads((SCENARIOS / f"{group}.json").read_text(encoding="utf-8"))
    inputs = json.loads(json.dumps(list(GROUPS[group]())))

    assert [{key: each[key] for key in each if not key.startswith("outcomes")} for each in recorded] == inputs
    assert len({each["name"] for each in inputs}) == len(inputs)


@pytest.mark.parametrize("group", GROUPS)
def test_every_step_has_an_outcome_on_every_kernel(group: str) -> None:
    for scenario in json.loads((SCENARIOS / f"{group}.json").read_text(encoding="utf-8")):
        for kernel in KERNELS:
            assert len(expected(scenario, kernel)) == len(scenario["steps"])


def test_no_group_is_left_over() -> None:
    assert {path.stem for path in SCENARIOS.glob("*.json")} == set(GROUPS)
