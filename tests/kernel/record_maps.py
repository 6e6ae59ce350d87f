"""Record what kernels do with maps: carry out stories, make maps, and write tests/corpus/map_stories.json.

    python -m tests.kernel.record_maps [--kernel 6.1=PATH ...]

The stories are random ones, for the seeds below, and those of tests/corpus/inputs/map_stories.py. Kernels are those of
`tests.kernel.record`. Exit status 1 if a story could not be recorded.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.corpus.inputs.map_stories import stories
from tests.corpus.map_world import Declaration, Story
from tests.corpus.recorded_maps import RECORDED
from tests.corpus.scenario_file import KERNELS
from tests.interop.debian import DebianError
from tests.interop.toolchain import FETCH, fetched_tree
from tests.kernel import image
from tests.kernel.guest import GuestError
from tests.kernel.maps import CPUS, InGuest, in_guest
from tests.kernel.random_maps import random_declarations, random_stories
from tests.kernel.record import kernel_image, recording

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


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.record_maps", description=summary)
    parser.add_argument("--kernel", action="append", default=[], metavar="NAME=PATH", help="an image to use")
    parser.add_argument("--seconds", type=float, default=900, help="time limit of one run (default 900)")
    arguments = parser.parse_args()
    given = dict(each.split("=", 1) for each in arguments.kernel)
    tree = fetched_tree()
    if tree is None:
        print(f"record_maps: no libbpf for the guest in the cache; fetch it with: {FETCH}", file=sys.stderr)
        return 2
    every = [*stories(), *random_stories(SEED, STORIES, CPUS, STEPS)]
    declarations = list(random_declarations(SEED, MAPS))
    runs: dict[str, InGuest] = {}
    try:
        for name in KERNELS:
            path = Path(given[name]) if name in given else kernel_image(name)
            runs[name] = in_guest(path, tree, every, declarations, arguments.seconds)
    except (DebianError, image.ImageError, GuestError, OSError) as error:
        print(f"record_maps: {error}", file=sys.stderr)
        return 2
    kept = [
        recorded(story, {kernel: run.stories[index] for kernel, run in runs.items()})
        for index, story in enumerate(every)
    ]
    maps = by_errors(declarations, {kernel: run.made for kernel, run in runs.items()})
    lines = [",\n".join(f"  {json.dumps(each)}" for each in part) for part in (filter(None, kept), maps)]
    RECORDED.write_text('{{"stories": [\n{}\n],\n"maps": [\n{}\n]}}\n'.format(*lines), encoding="utf-8")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
