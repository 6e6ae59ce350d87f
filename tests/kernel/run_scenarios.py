"""Runs in the guest: carry out the scenarios in the file named by the first argument, and report what came.

The second argument is how many seconds the kernel gets for work in the background after each step. One result
for each scenario: its `index`, and its `outcomes`, or `error` if something else than the kernel's answers came
of it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.source import Source, read_source

from tests.corpus.scenario import run
from tests.corpus.scenario_file import LABS
from tests.corpus.world import BackendWorld
from tests.kernel.boundary import report, require_guest


def carry_out(lab: Source, scenario: dict[str, Any], settle: float) -> dict[str, Any]:
    """One scenario with maps, programs and sockets of its own."""
    try:
        with Kernel(lab, settle=settle) as kernel:
            return {"outcomes": run(BackendWorld(kernel), scenario)}
    except Exception:
        return {"error": traceback.format_exc()}


def main(path: str, settle: str) -> None:
    require_guest()
    # The guest has one processor: what the kernel has to do comes before what waits for it.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    scenarios = dict(enumerate(json.loads(Path(path).read_text(encoding="utf-8"))))
    used = {scenario["lab"] for scenario in scenarios.values()}
    labs = {name: read_source(LABS / f"{name}.o") for name in used}
    for index, scenario in scenarios.items():
        report({"index": index, **carry_out(labs[scenario["lab"]], scenario, float(settle))})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
