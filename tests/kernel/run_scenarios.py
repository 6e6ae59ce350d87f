"""Runs in the guest: carry out the scenarios in the file named by the first argument, and report what came.

The second argument is how many seconds the kernel gets for work in the background after each step. Where the
scenario says what is `expected`, and something else came, it is carried out once more with longer waits. One
result for each scenario: its `index`, and its `outcomes`, or `error` if something else than the kernel's
answers came of it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.source import Source, read_source

from tests.corpus.scenario import LABS, run
from tests.corpus.world import BackendWorld
from tests.kernel.boundary import report, require_guest
from tests.kernel.first_process import bring_up_loopback

#: Scenarios at a time: most of their time they wait.
WORKERS = 6
#: How much longer waits are the second time.
LONGER = 6
CGROUPS = Path("/sys/fs/cgroup")
CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
LOCK = "/tmp/report.lock"


def carry_out(lab: Source, scenario: dict[str, Any], settle: float) -> dict[str, Any]:
    """One scenario with maps, programs and sockets of its own."""
    try:
        with Kernel(lab, settle=settle) as kernel:
            return {"outcomes": run(BackendWorld(kernel), scenario)}
    except Exception:
        return {"error": traceback.format_exc()}


def isolate(worker: int) -> None:
    """Move this process to a network and a cgroup of its own, so that ports and callbacks are its alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    bring_up_loopback()
    cgroup = CGROUPS / f"worker{worker}"
    cgroup.mkdir(exist_ok=True)
    (cgroup / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def work(
    labs: Mapping[str, Source], scenarios: Mapping[int, dict[str, Any]], settle: float, worker: int
) -> None:
    """Carry out a worker's share."""
    isolate(worker)
    for index, scenario in scenarios.items():
        lab = labs[scenario["lab"]]
        result = carry_out(lab, scenario, settle)
        if scenario.get("expected", result.get("outcomes")) != result.get("outcomes"):
            result = carry_out(lab, scenario, settle * LONGER)
        with open(LOCK, "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            report({"index": index, **result})


def main(path: str, settle: str) -> None:
    require_guest()
    # The guest has one processor: what the kernel has to do comes before what waits for it.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    scenarios = dict(enumerate(json.loads(Path(path).read_text(encoding="utf-8"))))
    used = {scenario["lab"] for scenario in scenarios.values()}
    labs = {name: read_source(LABS / f"{name}.o") for name in used}
    workers = []
    for worker in range(WORKERS):
        child = os.fork()
        if child == 0:
            share = {index: each for index, each in scenarios.items() if index % WORKERS == worker}
            try:
                work(labs, share, float(settle), worker)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        workers.append(child)
    for child in workers:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
