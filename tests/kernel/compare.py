"""Random scenarios in the simulator and on a kernel in a guest, held against each other.

    python -m tests.kernel.compare [--seed 1] [--count 200] [--kernel PATH]

Each is carried out twice on the kernel, with different waits; one that gives two answers there is left out and
counted. Prints each difference as a scenario and the steps that gave something else. Exit status 1 if there is any.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from skverdict.runtime import Simulator
from skverdict.runtime.sockets.errors import SimulationError

from tests.corpus.scenario import run
from tests.corpus.scenario_file import LABS
from tests.corpus.world import BackendWorld
from tests.interop.toolchain import Tree
from tests.kernel import command, image
from tests.kernel.random_scenarios import random_scenarios
from tests.kernel.record import SETTLES, Unrecorded, agreed
from tests.kernel.scenarios import Scenario, outcomes_in_guest, recording_of


def simulated(scenario: Scenario, kernel: str) -> list[Any] | None:
    """What the simulator gives for it, as kernel `kernel`; None where redirects go round in a circle without end, or
    a message grows for ever, as they would in a kernel."""
    try:
        return run(BackendWorld(Simulator(LABS / "lab.o", kernel=kernel)), scenario)
    except SimulationError:
        return None


def difference(scenario: Scenario, mine: Sequence[Any], theirs: Sequence[Any]) -> str:
    """The steps that gave something else, in the scenario's text; "" if none did."""
    if list(mine) == list(theirs):
        return ""
    head = f"{scenario['name']}, settings {json.dumps(scenario['settings'])}"
    return "\n".join([head, *steps_told(scenario["steps"], mine, theirs)])


def steps_told(steps: Sequence[Any], mine: Sequence[Any], theirs: Sequence[Any]) -> Iterator[str]:
    """A line for each step, with what it gave in the simulator, and on the kernel where that is something else."""
    for step, simulator, kernel in zip(steps, mine, theirs, strict=True):
        same = simulator == kernel
        answer = json.dumps(simulator) if same else f"{json.dumps(simulator)}, but the kernel {json.dumps(kernel)}"
        yield f"  {' ' if same else '!'} {json.dumps(step)} gave {answer}"


def compared(arguments: Namespace, tree: Tree) -> int:
    """Compare and tell, as the command's `arguments` have it: the exit status."""
    path = arguments.kernel or image.newest()
    kernel = recording_of(image.version(image.release(path)))
    given = list(random_scenarios(arguments.seed, arguments.count))
    outcomes = ((scenario, simulated(scenario, kernel)) for scenario in given)
    pairs = [(scenario, outcome) for scenario, outcome in outcomes if outcome is not None]
    scenarios = [scenario for scenario, _ in pairs]
    runs = [outcomes_in_guest(path, tree, scenarios, arguments.seconds, settle) for settle in SETTLES]
    unsteady = different = 0
    for (scenario, mine), first, second in zip(pairs, *runs, strict=True):
        try:
            theirs = agreed(first, second)
        except Unrecorded as reason:
            unsteady += 1
            print(f"{scenario['name']}: left out: {reason}")
            continue
        if text := difference(scenario, mine, theirs):
            different += 1
            print(text)
    left = f"{unsteady} unsteady and {len(given) - len(pairs)} endless ones left out"
    print(f"{len(given)} scenarios from seed {arguments.seed} on {kernel}: {different} differ, {left}")
    return 1 if different else 0


def main() -> int:
    parser = command.parser("tests.kernel.compare", __doc__, seconds=900)
    parser.add_argument("--seed", type=int, default=1, help="the first scenario's seed (default 1)")
    parser.add_argument("--count", type=int, default=200, help="how many scenarios (default 200)")
    return command.with_guests("compare", partial(compared, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
