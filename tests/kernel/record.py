"""Record what kernels do: carry out the scenarios of tests/corpus/inputs and write tests/corpus/scenarios.

    python -m tests.kernel.record [--kernel 6.1=PATH ...] [GROUP ...]

Kernels that are not given are those of Debian's releases, fetched if need be. Each scenario is carried out
twice on each kernel, with different waits. What is not the same both times is not recorded. Prints what is
new against the files as they were. Exit status 1 if a scenario could not be recorded.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.corpus.inputs import GROUPS
from tests.corpus.scenario import SCENARIOS
from tests.corpus.scenario_file import KERNELS
from tests.interop.toolchain import Tree
from tests.kernel import command
from tests.kernel.scenarios import Scenario, outcomes_in_guest

#: Seconds to wait after each step, in the two runs.
SETTLES = (0.05, 0.08)


class Unrecorded(Exception):
    """A scenario without one answer: it gave two, or something went wrong that is no kernel's answer."""


def agreed(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Any]:
    """The outcomes of two runs that are the same. Raises Unrecorded."""
    for result in (first, second):
        if "error" in result:
            raise Unrecorded(result["error"])
    outcomes: list[Any] = first["outcomes"]
    if outcomes != second["outcomes"]:
        pairs = enumerate(zip(outcomes, second["outcomes"], strict=True))
        steps = [f"step {index}: {one} and {other}" for index, (one, other) in pairs if one != other]
        raise Unrecorded("two runs gave " + "; ".join(steps))
    return outcomes


def recording(scenario: Scenario, outcomes: Mapping[str, list[Any]]) -> Scenario:
    """The scenario as the files have it: the newest kernel's outcomes, and what others gave otherwise."""
    newest = outcomes[KERNELS[-1]]
    others = {
        kernel: {
            str(index): mine
            for index, (mine, theirs) in enumerate(zip(outcomes[kernel], newest, strict=True))
            if mine != theirs
        }
        for kernel in KERNELS[:-1]
    }
    differing = {kernel: steps for kernel, steps in others.items() if steps}
    return {**scenario, "outcomes": newest, **({"outcomes_on": differing} if differing else {})}


def text(scenarios: Iterable[Scenario]) -> str:
    """The content of a file: a scenario a line, so that changes are easy to see."""
    return "[\n" + ",\n".join(f" {json.dumps(each, ensure_ascii=False)}" for each in scenarios) + "\n]\n"


def record(
    tree: Tree, kernels: Mapping[str, Path], scenarios: Sequence[Scenario], seconds: float
) -> Iterator[Scenario | Unrecorded]:
    """Each scenario with its outcomes. Raises GuestError."""
    runs = {
        name: [outcomes_in_guest(path, tree, scenarios, seconds, settle) for settle in SETTLES]
        for name, path in kernels.items()
    }
    for index, scenario in enumerate(scenarios):
        yield _recording(scenario, {name: [each[index] for each in both] for name, both in runs.items()})


def _recording(scenario: Scenario, runs: Mapping[str, list[Mapping[str, Any]]]) -> Scenario | Unrecorded:
    """What two runs on each kernel make of a scenario."""
    try:
        return recording(scenario, {name: agreed(*both) for name, both in runs.items()})
    except Unrecorded as error:
        return error


def update(group: str, results: Iterable[tuple[Scenario, Scenario | Unrecorded]]) -> bool:
    """Write a group's file, and print what is new in it; whether everything could be recorded."""
    path = SCENARIOS / f"{group}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    known = {each["name"]: each for each in before}
    kept = []
    complete = True
    for scenario, result in results:
        name = scenario["name"]
        if isinstance(result, Unrecorded):
            complete = False
            print(f"{group}: {name}: not recorded: {result}")
        else:
            kept.append(result)
            if known.get(name) != result:
                print(f"{group}: {name}: {'changed' if name in known else 'new'}")
    path.write_text(text(kept), encoding="utf-8")
    return complete


def recorded(arguments: Namespace, tree: Tree) -> int:
    """Record and write, as the command's `arguments` have it: the exit status."""
    groups = {name: list(GROUPS[name]()) for name in arguments.groups or GROUPS}
    scenarios = [scenario for group in groups.values() for scenario in group]
    results = record(tree, dict(command.images(arguments.kernel, KERNELS)), scenarios, arguments.seconds)
    # One after the other: `results` goes on through all groups.
    complete = [update(name, zip(group, results, strict=False)) for name, group in groups.items()]
    return 0 if all(complete) else 1


def main() -> int:
    parser = command.parser("tests.kernel.record", __doc__, seconds=900, several=True)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"some of: {', '.join(GROUPS)}; else all")
    return command.with_guests("record", partial(recorded, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
