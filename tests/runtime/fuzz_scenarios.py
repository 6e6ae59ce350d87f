"""Scenario and trace files changed at will: each is carried out, or refused by an error that has a name.

    python -m tests.runtime.fuzz_scenarios --seed 1 --runs 100000 [--seconds 600]

Every run takes a recorded scenario, changes its text or its parts, or mixes steps of others into it, and carries it
out. What the simulator noted is written as a file, changed likewise, read back, and shown if it still is a trace.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from skverdict.codegen.object_reader import read_object
from skverdict.runtime import Simulator, trace_file
from skverdict.runtime.maps.typed import ValueMismatch
from skverdict.runtime.pictures import lanes
from skverdict.runtime.trace import Trace

from tests.corpus.scenario import recorded, run
from tests.corpus.scenario_file import KERNELS, LABS, Scenario, ScenarioError, check, read
from tests.corpus.world import BackendWorld
from tests.runtime import fuzz as objects
from tests.runtime.campaign import campaign, main

NAMED = (ScenarioError, ValueMismatch, *objects.NAMED)
#: Events that a trace keeps, so that no time goes into long ones.
_MOST_EVENTS = 40
_MOST_BYTES = 5000
_ATOMS = (None, True, 0, -1, 1, 1 << 16, 1 << 64, 0.5, "", "s", "ingress", "\u20ac", [], {}, ["send", "c", "x"])

LAB_OBJECTS = {path.stem: read_object(path.read_bytes(), path.name) for path in LABS.glob("*.o")}


def parts(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and its key or index there."""
    if not isinstance(value, (list, dict)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in parts(value[key])]


def change(value: Any, random: Random) -> None:
    """Put something else at a place of a JSON value, or nothing, or twice what is there."""
    places = parts(value)
    if not places:
        return
    container, key = random.choice(places)
    way = random.randrange(4)
    if way == 0:
        del container[key]
    elif way == 1 and isinstance(container, list):
        container.insert(random.randrange(len(container) + 1), container[key])
    elif way == 2:
        other, at = random.choice(places)
        container[key] = json.loads(json.dumps(other[at]))
    else:
        container[key] = random.choice(_ATOMS)


def changed(text: str, random: Random) -> bytes:
    """The text of a JSON file, changed in its bytes or in its parts."""
    if random.random() < 0.3:
        content = bytearray(text.encode())
        random.choice(objects.CHANGES)(content, random)
        return bytes(content)
    value = json.loads(text)
    for _ in range(random.choice((1, 1, 2, 4))):
        change(value, random)
    return json.dumps(value).encode()


def shortened(step: list[Any]) -> list[Any]:
    """A step with no more bytes than are soon done with."""
    return [*step[:-1], min(step[-1], _MOST_BYTES)] if step[0] in ("flood", "transfer") else step


def mixed(scenarios: Sequence[Scenario], random: Random) -> Scenario:
    """A scenario with steps of others about the same object among its own, as far as they make sense there."""
    base = random.choice(scenarios)
    steps = [shortened(step) for step in base["steps"]]
    others = [each for each in scenarios if each.get("lab") == base.get("lab")]
    made = {key: base[key] for key in ("name", "lab", "settings") if key in base} | {"steps": steps}
    for _ in range(random.choice((0, 5, 20))):
        at = random.randrange(len(steps) + 1)
        steps.insert(at, shortened(random.choice(random.choice(others)["steps"])))
        try:
            check(made, "")
        except ScenarioError:
            del steps[at]
    return made


def carry_out(scenario: Scenario, random: Random) -> Trace:
    """What the simulator notes of a scenario. Raises one of NAMED."""
    simulator = Simulator(
        LAB_OBJECTS[scenario.get("lab", "lab")],
        kernel=random.choice(KERNELS),
        hazards=random.choice(("kernel", "ideal")),
    )
    run(BackendWorld(simulator), scenario)
    return simulator.trace


def show(content: bytes) -> None:
    """Read a trace and show it in each form. Raises TraceError."""
    trace = trace_file.read(content)
    str(trace)
    lanes.picture(trace)
    trace_file.write(trace)


def use(scenarios: Sequence[Scenario], random: Random) -> str:
    """One run; in a word, what became of it."""
    text = json.dumps([mixed(scenarios, random)])
    short = Trace()
    try:
        for scenario in read(changed(text, random) if random.random() < 0.3 else text):
            for event in carry_out(scenario, random)[:_MOST_EVENTS]:
                short.append(event)
    except NAMED as error:
        return next(each.__name__ for each in NAMED if isinstance(error, each))
    try:
        show(changed(trace_file.write(short), random))
    except trace_file.TraceError:
        return "TraceError"
    return "shown"


def fuzz(first: int, runs: int, seconds: float | None = None) -> Counter[str]:
    """What became of the runs with the seeds from `first` on. Raises whatever has no name, with a note."""
    scenarios = [scenario for _, scenario in recorded()]
    return campaign(lambda seed: use(scenarios, Random(seed)), first, runs, seconds)


if __name__ == "__main__":
    sys.exit(main("tests.runtime.fuzz_scenarios", __doc__.split("\n", 1)[0], fuzz))
