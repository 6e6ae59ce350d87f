"""The recorded scenarios in a guest, and whether its kernel did what was recorded of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.corpus.scenario import expected, recorded
from tests.corpus.scenario_file import KERNELS, LABS
from tests.interop.toolchain import Tree
from tests.kernel import guest
from tests.kernel.cases import Case
from tests.kernel.initramfs import SOURCES
from tests.kernel.packages import package_files

RUNNER = "tests.kernel.run_scenarios"
INPUTS = "scenarios.json"
#: Seconds that the kernel gets for work in the background after each step.
SETTLE = 0.05
_FILES = (
    "tests/corpus/scenario.py",
    "tests/corpus/scenario_file.py",
    "tests/corpus/shown_headers.py",
    "tests/corpus/world.py",
    "tests/kernel/run_scenarios.py",
)

Scenario = dict[str, Any]


def recording_of(kernel: tuple[int, int]) -> str:
    """The recorded kernel whose outcomes a kernel of version (major, minor) is held against: the newest one
    that is not newer than it, and the oldest one for still older kernels."""
    versions = [tuple(int(part) for part in name.split(".")) for name in KERNELS]
    return KERNELS[max((index for index, each in enumerate(versions) if each <= kernel), default=0)]


def outcomes_in_guest(
    kernel: Path, tree: Tree, scenarios: Sequence[Scenario], seconds: float, settle: float = SETTLE
) -> list[dict[str, Any]]:
    """What each scenario gave on `kernel`, in their order: `outcomes`, or `error`. Raises GuestError."""
    inputs = [{"lab": "lab", **each} for each in scenarios]
    files = {path: (SOURCES / path).read_bytes() for path in _FILES}
    files |= package_files()
    files |= {str(path.relative_to(SOURCES)): path.read_bytes() for path in LABS.glob("*.o")}
    files[INPUTS] = json.dumps(inputs).encode()
    ended = guest.run_to_its_end(kernel, tree, files, RUNNER, [INPUTS, str(settle)], seconds)
    found = {result["index"]: result for result in ended.results}
    nothing = {"error": "the guest reported nothing of it"}
    return [found.get(index, nothing) for index in range(len(scenarios))]


def judge(results: Iterable[dict[str, Any]], kernel: str) -> Iterator[Case]:
    """Each recorded scenario's case, from what the guest reported in their order."""
    for (group, scenario), result in zip(recorded(), results, strict=True):
        detail = _difference(scenario, kernel, result)
        name = scenario["name"]
        yield Case(group, name, "failed" if detail else "passed", detail or f"{len(scenario['steps'])} steps")


def _difference(scenario: Scenario, kernel: str, result: dict[str, Any]) -> str:
    """Where the outcomes are not those that were recorded; empty if nowhere."""
    if "error" in result:
        return str(result["error"])
    steps = zip(scenario["steps"], expected(scenario, kernel), result["outcomes"], strict=True)
    return "\n".join(
        f"{json.dumps(step)} gave {json.dumps(outcome)}, recorded was {json.dumps(wanted)}"
        for step, wanted, outcome in steps
        if outcome != wanted
    )
