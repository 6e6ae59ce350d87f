"""Stories about maps on a kernel in a guest, and in the simulator."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skverdict.codegen.object import MapSpec
from skverdict.runtime import Simulator
from skverdict.runtime.maps.declaration import broken_rule

from tests.corpus.map_objects import object_of
from tests.corpus.map_world import Declaration, Story, carry_out
from tests.interop.toolchain import Tree
from tests.kernel import guest
from tests.kernel.initramfs import SOURCES
from tests.kernel.packages import package_files

RUNNER = "tests.kernel.run_maps"
STORIES = "stories.json"
#: The processors of a guest.
CPUS = 1
_FILES = ("tests/corpus/map_world.py", "tests/kernel/run_maps.py")


def simulated(story: Story, kernel: str) -> list[Any]:
    """What the steps of a story give in the simulator, as `kernel`."""
    map_ = Declaration(*story["map"])
    return carry_out(Simulator(object_of(map_), kernel=kernel, cpus=CPUS), map_, story["steps"])


def refusal(map_: Declaration, kernel: str) -> int:
    """The error with which the simulator refuses such a map, as `kernel`; 0 if it does not."""
    spec = MapSpec("map", map_.map_kind.map_type, *map_[1:])
    broken = broken_rule(spec, map_.map_kind, kernel)
    return 0 if broken is None else int(broken.error)


class InGuest(NamedTuple):
    """What a kernel gave: for each declaration an error, 0 for none, and for each story `outcomes` or `error`."""

    made: list[int]
    stories: list[dict[str, Any]]


def in_guest(
    kernel: Path, tree: Tree, stories: Sequence[Story], declarations: Sequence[Declaration], seconds: float
) -> InGuest:
    """Make the maps and carry out the stories on `kernel`. Raises GuestError."""
    files = {path: (SOURCES / path).read_bytes() for path in _FILES}
    files |= package_files()
    files |= {f"{index}.o": object_of(Declaration(*story["map"])) for index, story in enumerate(stories)}
    files[STORIES] = json.dumps({"stories": list(stories), "declarations": list(declarations)}).encode()
    ended = guest.run_to_its_end(kernel, tree, files, RUNNER, [STORIES, str(CPUS)], seconds)
    made, *results = ended.results
    return InGuest(made["made"], results)
