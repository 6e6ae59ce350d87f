"""Record what kernels do with maps: carry out stories, make maps, and write tests/corpus/map_stories.json.

    python -m tests.kernel.record_maps [--kernel 6.1=PATH ...]

The stories are random ones, for the seeds below, and those of tests/corpus/inputs/map_stories.py. Kernels are those of
`tests.kernel.record`. Exit status 1 if a story could not be recorded.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from functools import partial
from typing import Any

from tests.corpus.inputs.map_stories import stories
from tests.corpus.map_world import Declaration, Story
from tests.corpus.recorded_maps import RECORDED
from tests.corpus.scenario_file import KERNELS
from tests.interop.toolchain import Tree
from tests.kernel import command
from tests.kernel.maps import CPUS, InGuest, in_guest
from tests.kernel.random_maps import random_declarations, random_stories
from tests.kernel.record import recording

#: Random stories and maps: the first seed, how many, and steps of each story.
SEED, STORIES, STEPS, MAPS = 9000, 52, 40, 700


def by_errors(declarations: list[Declaration], made: dict[str, list[int]]) -> list[list[Any]]:
    """Each declaration with the errors of making it, kernel by kernel."""
    return [[list(each), [made[kernel][index] for kernel in KERNELS]] for index, each in enumerate(declarations)]


def recorded(story: Story, results: dict[str, dict[str, Any]]) -> Story | None:
    """The story with its outcomes; None if something else than answers came of it, which is printed."""
    for kernel, result in results.items():
        if "error" in result:
            print(f"{story['name']} on {kernel}: {result['error']}")
            return None
    return recording(story, {kernel: result["outcomes"] for kernel, result in results.items()})


def record(arguments: Namespace, tree: Tree) -> int:
    """Record and write, as the command's `arguments` have it: the exit status."""
    every = [*stories(), *random_stories(SEED, STORIES, CPUS, STEPS)]
    declarations = list(random_declarations(SEED, MAPS))
    runs: dict[str, InGuest] = {
        name: in_guest(path, tree, every, declarations, arguments.seconds)
        for name, path in command.images(arguments.kernel, KERNELS)
    }
    kept = [
        recorded(story, {kernel: run.stories[index] for kernel, run in runs.items()})
        for index, story in enumerate(every)
    ]
    maps = by_errors(declarations, {kernel: run.made for kernel, run in runs.items()})
    lines = [",\n".join(f"  {json.dumps(each)}" for each in part) for part in (filter(None, kept), maps)]
    RECORDED.write_text('{{"stories": [\n{}\n],\n"maps": [\n{}\n]}}\n'.format(*lines), encoding="utf-8")
    return 0 if all(kept) else 1


def main() -> int:
    arguments = command.parser("tests.kernel.record_maps", __doc__, seconds=900, several=True).parse_args()
    return command.with_guests("record_maps", partial(record, arguments))


if __name__ == "__main__":
    sys.exit(main())
