"""What is no file of scenarios is refused with the place and the reason, before any step is carried out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.corpus.scenario import recorded
from tests.corpus.scenario_file import VERBS, ScenarioError, read
from tests.corpus.world import BackendWorld

PAIR = ["pair", "c", "s"]


def one(*steps: Any, **members: Any) -> str:
    return json.dumps([{"name": "n", "steps": list(steps), **members}])


def test_a_file_is_read_as_it_is() -> None:
    steps = [PAIR, ["send", "c", "hello"], ["recv", "s", 10]]
    (scenario,) = read(one(*steps, settings={"1": 2}, outcomes=[None, 5, "hello"], outcomes_on={"6.1": {"2": "x"}}))
    assert scenario["steps"] == steps


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("{}", "it is no array of scenarios"),
        ("[7]", "scenario 0: it is no object with a name"),
        ('[{"name": "n"}]', "scenario 0: its steps are no array"),
        (one(lab="other"), "scenario 0: there is no lab 'other'"),
        (one(lab=[]), r"scenario 0: there is no lab \[\]"),
        (one(colour=1), "scenario 0: nothing is called colour"),
        (one(settings={"a": 1}), "its settings are no object of numbers by number"),
        (one(settings={"1": 1 << 64}), "its settings are no object of numbers by number"),
        (one(PAIR, []), "scenario 0, step 1: it is no array that begins with a verb"),
        (one(["fly"]), "step 0: it is no array that begins with a verb"),
        (one(["pair", "c"]), "step 0: pair takes new new options"),
        (one(["runs", 1]), "step 0: runs takes nothing"),
        (one(PAIR, ["send", "x", "hello"]), "step 1: send: 'x' is no known socket"),
        (one(PAIR, ["tcp", "c"]), "step 1: tcp: 'c' is no name for a new socket"),
        (one(PAIR, ["send", "c", "\u20ac"]), "step 1: send: '\u20ac' is no text"),
        (one(PAIR, ["recv", "s", -1]), "recv: '-1' is no count"),
        (one(PAIR, ["recv", "s", True]), "recv: 'True' is no count"),
        (one(["attach", "watched", "other"]), "attach: 'other' is no program"),
        (one(["pair", "c", "s", {"colour": 1}]), "is no options"),
        (one(PAIR, outcomes=[]), "its outcomes are no array of 1"),
        (one(PAIR, outcomes=[None], outcomes_on={"5.0": {}}), "its outcomes_on '5.0' fit no kernel or no step"),
        (one(PAIR, outcomes=[None], outcomes_on={"6.1": {"1": 0}}), "its outcomes_on '6.1' fit no kernel or no step"),
    ],
)
def test_what_is_no_scenario_is_told(content: str | bytes, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        read(content)


def test_every_verb_can_be_carried_out_and_is_in_a_scenario() -> None:
    used = {step[0] for _, scenario in recorded() for step in scenario["steps"]}
    done = {name.removeprefix("do_") for name in vars(BackendWorld) if name.startswith("do_")}
    assert used == done == set(VERBS)
