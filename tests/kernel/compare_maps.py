"""Random stories about maps in the simulator and on a kernel in a guest, held against each other.

    python -m tests.kernel.compare_maps [--seed 1] [--count 130] [--kernel PATH]

Prints each difference as the story's map and the steps up to the last that gave something else, and each map that only
one of them makes, or that they refuse with different errors. Exit status 1 if there is any.
"""

from __future__ import annotations

import errno
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.corpus.map_world import Story
from tests.interop.toolchain import Tree
from tests.kernel import command, image
from tests.kernel.compare import steps_told
from tests.kernel.maps import CPUS, in_guest, refusal, simulated
from tests.kernel.random_maps import random_declarations, random_stories
from tests.kernel.scenarios import recording_of

#: Errors of kernels that have no memory for a map, which is no matter of the simulator, and what guests have, in bytes.
OUT_OF_MEMORY = (errno.ENOMEM, errno.E2BIG)
MEMORY = 1 << 28


def difference(story: Story, mine: Sequence[Any], theirs: Sequence[Any]) -> str:
    """The steps up to the last that gave something else; "" if none did."""
    differing = [index for index, both in enumerate(zip(mine, theirs, strict=True)) if both[0] != both[1]]
    if not differing:
        return ""
    to_last = slice(differing[-1] + 1)
    head = f"{story['name']}, map {json.dumps(story['map'])}"
    return "\n".join([head, *steps_told(story["steps"][to_last], mine[to_last], theirs[to_last])])


def _name(number: int) -> str:
    return errno.errorcode.get(number, str(number)) if number else "made"


def compared(arguments: Namespace, tree: Tree) -> int:
    """Compare and tell, as the command's `arguments` have it: the exit status."""
    stories = list(random_stories(arguments.seed, arguments.count, CPUS))
    declarations = list(random_declarations(arguments.seed, arguments.maps))
    path = arguments.kernel or image.newest()
    kernel = recording_of(image.version(image.release(path)))
    results = in_guest(path, tree, stories, declarations, arguments.seconds)
    different = 0
    for map_, theirs in zip(declarations, results.made, strict=True):
        mine = refusal(map_, kernel)
        if mine != theirs and not (mine == 0 and theirs in OUT_OF_MEMORY and map_.size > MEMORY):
            different += 1
            print(f"{map_}: {_name(mine)}, but the kernel {_name(theirs)}")
    for story, result in zip(stories, results.stories, strict=True):
        if "error" in result:
            text = f"{story['name']}, map {json.dumps(story['map'])}: {result['error']}"
        else:
            text = difference(story, simulated(story, kernel), result["outcomes"])
        if text:
            different += 1
            print(text)
    given = f"{len(stories)} stories and {len(declarations)} maps from seed {arguments.seed}"
    print(f"{given} on {kernel}: {different} differ")
    return 1 if different else 0


def main() -> int:
    parser = command.parser("tests.kernel.compare_maps", __doc__, seconds=900)
    parser.add_argument("--seed", type=int, default=1, help="the first story's seed (default 1)")
    parser.add_argument("--count", type=int, default=130, help="how many stories (default 130)")
    parser.add_argument("--maps", type=int, default=2000, help="how many maps to make (default 2000)")
    return command.with_guests("compare_maps", partial(compared, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
