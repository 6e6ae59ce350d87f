"""Runs in the guest: carry out the scenarios in the file named by the argument, and report what came of them.

One result for each, in their order: `outcomes`, or `error` if something else than the kernel's answers came
of it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.source import Source, read_source

from tests.corpus.scenario import run
from tests.corpus.world import BackendWorld
from tests.kernel.boundary import report, require_guest

LAB = Path("tests/corpus/lab/lab.o")

#: Scenarios at a time: most of their time they wait.
THREADS = 6
#: Seconds that the kernel gets for work in the background after each step.
SETTLE = 0.01


def carry_out(lab: Source, scenario: dict[str, Any]) -> dict[str, Any]:
    """One scenario with maps, programs and sockets of its own."""
    try:
        with Kernel(lab, settle=SETTLE) as kernel:
            return {"outcomes": run(BackendWorld(kernel), scenario)}
    except Exception:
        return {"error": traceback.format_exc()}


def main(path: str) -> None:
    require_guest()
    # The guest has one processor: what the kernel has to do comes before what waits for it.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    scenarios = json.loads(Path(path).read_text(encoding="utf-8"))
    with ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(partial(carry_out, read_source(LAB)), scenarios):
            report(result)


if __name__ == "__main__":
    main(sys.argv[1])
