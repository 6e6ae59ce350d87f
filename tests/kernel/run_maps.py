"""Runs in the guest: make the maps and carry out the stories in the file named by the first argument, and report.

The first result has, for each of the file's `declarations`, the error of making such a map, 0 for none. One result
follows for each of its `stories`: its `index`, and its `outcomes`, or `error` if something else than the kernel's
answers came of it. The object of a story is the file `INDEX.o`. The second argument is how many CPUs the stories are
made for.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.libbpf import load_library

from tests.corpus.map_world import Declaration, Story, carry_out
from tests.kernel.boundary import report, require_guest


def outcomes(path: Path, story: Story, bpf: Bpf) -> dict[str, Any]:
    """One story, with a map of its own."""
    try:
        with Kernel(path, settle=0, bpf=bpf) as kernel:
            return {"outcomes": carry_out(kernel, Declaration(*story["map"]), story["steps"])}
    except Exception:
        return {"error": traceback.format_exc()}


def made(map_: Declaration, bpf: Bpf) -> int:
    """The error of making the map, 0 for none."""
    try:
        os.close(bpf.create_map(map_.map_kind.map_type, "map", *map_[1:]))
    except OSError as error:
        return error.errno or 0
    return 0


def main(path: str, cpus: str) -> None:
    require_guest()
    bpf = Bpf(load_library())
    if bpf.cpus != int(cpus):
        raise SystemExit(f"the machine can have {bpf.cpus} CPUs, and stories are made for {cpus}")
    given = json.loads(Path(path).read_text(encoding="utf-8"))
    report({"made": [made(Declaration(*each), bpf) for each in given["declarations"]]})
    for index, story in enumerate(given["stories"]):
        report({"index": index, **outcomes(Path(f"{index}.o"), story, bpf)})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
